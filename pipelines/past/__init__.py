"""The past from public web archives: which index answers to ask for, which captures to choose, what an answer is."""
