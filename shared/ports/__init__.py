"""What Ombud needs of the world, as contracts; pure."""
