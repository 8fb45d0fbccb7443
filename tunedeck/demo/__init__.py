"""The demo job: a task whose answers can be scored, a small base model, and the spec that teaches one to the other."""
