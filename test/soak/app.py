"""The Python worker of the soak of tasks: dayfly pushes tasks to it."""
import hmac, json, os, smtplib, threading, time
from email.message import EmailMessage
from urllib.parse import urlsplit
from flask import Flask, abort, request

app = Flask(__name__)
record = os.open(os.environ["SOAK_RECORD"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

def write(what, why=""):
    h = request.headers
    line = {"who": os.environ["DAYFLY_PROCESS"], "pid": os.getpid(), "id": h["ce-id"], "type": h["ce-type"],
            "try": int(h["Dayfly-Attempt"]), "what": what, "at": time.time_ns() // 1_000_000, "why": why}
    os.write(record, (json.dumps(line) + "\n").encode())  # one write: it is there or not

def beat():
    """Writes down when the machine did not let this process run."""
    last = time.time()
    while True:
        time.sleep(0.1)
        now = time.time()
        if now - last > 0.5:
            line = {"who": os.environ["DAYFLY_PROCESS"], "pid": os.getpid(), "what": "stall", "at": int(last * 1000), "until": int(now * 1000)}
            os.write(record, (json.dumps(line) + "\n").encode())
        last = now

threading.Thread(target=beat, daemon=True).start()

def failed(why, status, **headers):
    write("failed", why)
    return why, status, headers

def mail(key):
    server = urlsplit(os.environ["SMTP_URL"])
    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "soak@example.com", key + "@example.com", "Soak"
    m.set_content("Text.")
    with smtplib.SMTP(server.hostname, server.port, timeout=30) as s:
        s.send_message(m)

@app.get("/")
def health():
    return ""

@app.post("/tasks")
def tasks():
    if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {os.environ['PUSH_TOKEN']}".encode()):
        abort(403)  # not dayfly
    write("begin")
    args, kind = request.get_json(silent=True) or {}, request.headers["ce-type"].split("-")[0]
    if kind == "stranger":
        return failed("no such task", 404)
    if kind == "bad":
        return failed("bad on purpose", 422)
    if kind == "flaky" and int(request.headers["Dayfly-Attempt"]) <= args["fails"]:
        return failed("fails on purpose", 500)
    if len(args.get("text", "")) != args.get("size", 0):
        return failed("altered arguments", 500)
    if kind == "once":
        try:
            mail(args["key"])
        except smtplib.SMTPResponseException as error:  # an answer: it was not sent
            return failed(repr(error), 500, **({"Dayfly-Not-Done": "true"} if error.smtp_code > 0 else {}))
        except smtplib.SMTPRecipientsRefused as error:
            return failed(repr(error), 500, **{"Dayfly-Not-Done": "true"})
        except ConnectionRefusedError as error:
            return failed(repr(error), 500, **{"Dayfly-Not-Done": "true"})
        except (OSError, smtplib.SMTPException) as error:  # nobody knows
            return failed(repr(error), 500)
    write("done")
    return "", 204
