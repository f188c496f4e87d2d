"""The server: recognition over HTTP and websockets, and a page that uses both."""
