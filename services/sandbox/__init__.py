"""A mailbox and a mail server of one's own, to try Ombud with: real protocols, nothing leaves the machine."""
