"""Whether what was promised of a trigger is still true of the traffic it decides."""
