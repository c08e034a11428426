"""What each script does for one cluster: leave what is done, compute, save, draw."""
