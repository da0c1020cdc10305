"""Emails a day: the deployment's prevalence, the traffic's pattern and the forecast of both."""
