"""What a ticket is about, and how much it matters."""
