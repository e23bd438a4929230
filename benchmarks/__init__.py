"""What the inspector costs, and how well it finds."""

import inspector as inspector  # before numpy, whose threads it settles
