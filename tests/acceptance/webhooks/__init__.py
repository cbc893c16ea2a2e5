"""The proof of the inbox: thousands of posts at a web server, in disorder, while who processes them is killed."""
