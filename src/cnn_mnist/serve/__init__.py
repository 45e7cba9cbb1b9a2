"""Serve the network and the reading of images over HTTP, with a page to draw on.

One file a noun, from the inside out: `settings`; `request_queues` (thread pools and batches);
`memory_budget` (what all requests together may hold); `layers` (the output of every layer of the
network); `bounded_json`; `protocol` (the messages of the Open Inference Protocol); `service` (a
model with its queues); `form` (the files in a form); `base64_json` (a picture in JSON); `body`
(reading a request's body); `metrics`; `log`; `openapi` (the schemas of requests and errors);
`routes` (the paths); `cors` (pages of other origins); `middleware` (request id, token, response
headers, access log); `malloc` (the memory allocator); `app` (all of that as one ASGI application);
`connection` (limits on what a client sends, and how slowly); `server` (processes, sockets and
signals). `page/` has the page to draw on and the page that describes the paths. Not covered: TLS,
which belongs to the proxy in front.
"""
