"""A page that enqueues a task, and /tasks, where dayfly brings it to be run."""
import hmac, json, os, uuid
import boto3
from flask import Flask, abort, request

app, queue = Flask(__name__), boto3.client("sqs")

@app.get("/")
def page():
    return '<form method="post" action="/greet">Who? <input name="name"> <button>Greet</button></form>'

@app.post("/greet")
def greet():
    task = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "page", "type": "greet", "data": {"name": request.form["name"]}}
    queue.send_message(QueueUrl=os.environ["QUEUE_DEFAULT_URL"], MessageBody=json.dumps(task))
    return task["id"], 202

@app.post("/tasks")
def tasks():
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {os.environ['PUSH_TOKEN']}".encode()):
        abort(403)  # not dayfly
    if request.headers["ce-type"] != "greet":
        abort(400, "no such task")
    with open(os.environ["GREETED"], "a") as greeted:
        greeted.write(f"{request.headers['ce-id']} {request.json['name']}\n")
    return "", 204
