"""What one tries this app with: a provider sandbox and a demonstration."""
