"""Accounts: one token of the deployment, and the logins of browsers that showed it."""
