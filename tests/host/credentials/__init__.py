"""The stand-in's top package, named as the service's own."""
