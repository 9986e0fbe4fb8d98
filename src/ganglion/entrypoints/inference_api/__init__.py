"""The Open Inference Protocol v2 over HTTP, in four parts: framing, connection, codec, dispatch.

Framing (`request_reader`) turns bytes into requests under limits; `connection` keeps answers in order;
`oip_request` and `oip_response` know tensors; `dispatch` knows paths. None knows more of another than its values.
"""
