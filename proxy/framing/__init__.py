"""How a body is cut into records and joined again. No byte is lost: raw pieces that come out join to what went in."""
