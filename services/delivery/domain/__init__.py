"""Delivery's rules: who is told, what they may see, what replaces what, when to try again."""
