"""The rooms below composed: a request read, a response planned, its bytes labelled, and what was done said."""
