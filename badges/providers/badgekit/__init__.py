"""BadgeKit (Mozilla's badgekit-api): badges as instances that are created and deleted."""
