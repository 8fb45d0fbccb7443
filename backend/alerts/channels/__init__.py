"""How a message leaves the house: one module for each kind of channel, each with one function, `send`."""
