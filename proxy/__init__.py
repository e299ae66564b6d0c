"""Countermark: an ASGI reverse proxy that labels what generative models produce.

A *label* says what, a *policy* says when, a *dialect* says where, *framing* and *media* say how, *labelling* does it,
and the loose files move the bytes. Every folder here is pure; every loose file does IO.
"""
