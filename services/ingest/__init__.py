"""From the mailbox to the ticket."""
