"""The crash harness in parts: peers (what the service speaks to), service (the binary under test), practice (a GP),
people (partners and a coordinator with browsers), store (its database), story (what happens), harness (puts it together).
"""
