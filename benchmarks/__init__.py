"""What is measured, and how. Figures, not tests: machines are noisy, so only ratios within one run count."""
