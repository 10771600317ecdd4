"""Mail with Python's smtplib, unmodified. SMTP_URL says where to: smtp://host:port.

Sends four mails; the last one has text, HTML and an attachment.
"""
import os
import smtplib
from email.message import EmailMessage
from urllib.parse import urlsplit

at = urlsplit(os.environ["SMTP_URL"])
with smtplib.SMTP(at.hostname, at.port, timeout=10) as smtp:
    smtp.ehlo()
    for extension in ("size", "8bitmime", "smtputf8", "pipelining"):
        assert smtp.has_extn(extension), extension
    smtp.login("any", "password")
    assert smtp.sendmail("a@example.com", ["b@example.com"], "Subject: plain\r\n\r\nhello\r\n.\r\n") == {}
    smtp.sendmail("ä@example.com", ["ö@example.com"], "Subject: ü\r\n\r\nhello".encode(), mail_options=["SMTPUTF8", "BODY=8BITMIME"])
    large = "Subject: large\r\n\r\n" + ("x" * 900 + "\r\n") * 10_000
    smtp.sendmail("a@example.com", ["b@example.com"], large)
    try:
        smtp.sendmail("a@example.com", ["b@example.com"], b"x" * (41 << 20))
        raise AssertionError("41 MiB were taken")
    except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as e:
        assert e.smtp_code == 552, e

    m = EmailMessage()
    m["From"], m["To"], m["Subject"] = "Seite <a@example.com>", "b@example.com, Jörg <c@example.com>", "Grüße von smtplib"
    m.set_content("Einfacher Text: äöü\n")
    m.add_alternative("<p>Text mit <b>HTML</b>: äöü</p>", subtype="html")
    m.add_attachment(bytes(range(256)), maintype="application", subtype="octet-stream", filename="räport.bin")
    assert smtp.send_message(m) == {}
print("smtplib ok")
