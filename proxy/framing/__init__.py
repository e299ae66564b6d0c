"""How a body is cut into records and joined again. A framing loses no byte: the raw pieces that come out join to what went in."""
