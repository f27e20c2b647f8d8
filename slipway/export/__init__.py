"""`slipway export`: what the stack serves, written down for another place to run it.

slipway export kubernetes --output k8s/       # Deployment, Service, autoscaler, ... for the same image and model
slipway export adapter-rule                   # what prometheus-adapter must know for that autoscaler
"""
