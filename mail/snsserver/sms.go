package snsserver

import (
	"bytes"
	"context"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dayfly-dev/dayfly/mail/inbox"
)

const (
	// maxSMS is how many characters one publish to a phone has at most; SNS
	// sends it as several text messages.
	maxSMS = 1600
	// titleSize is how much of a text is its title in lists, in characters.
	titleSize = 60
)

// Attributes of a message that are about text messages (developer guide,
// publishing to a phone).
const (
	attributeSender   = "AWS.SNS.SMS.SenderID"
	attributeType     = "AWS.SNS.SMS.SMSType"
	attributePrice    = "AWS.SNS.SMS.MaxPrice"
	attributeOriginal = "AWS.MM.SMS.OriginationNumber"
)

var (
	// e164 is a number as Publish takes it.
	e164 = regexp.MustCompile(`^\+?[1-9][0-9]{1,14}$`)
	// senderID: up to 11 letters and digits, of which one is a letter.
	senderID = regexp.MustCompile(`^[A-Za-z0-9 -]{1,11}$`)
)

// publishSMS keeps a text message to one number.
func (c *call) publishSMS(number string, n *notification) error {
	if !e164.MatchString(number) {
		return invalid("PhoneNumber Reason: %s is not valid to publish to", number)
	}
	if n.dedupID != "" {
		return invalid("MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type")
	}
	text := n.text(protocolSMS)
	if utf8.RuneCountInString(text) > maxSMS || n.size() > defaultMessageSize {
		return invalid("Message too long")
	}
	if text == "" {
		return invalid("Empty message")
	}
	if err := checkSMS(n.attributes); err != nil {
		return err
	}
	return c.keepSMS(number, text, n)
}

// checkSMS checks the attributes that steer a text message.
func checkSMS(attributes map[string]Attribute) error {
	if a, ok := attributes[attributeSender]; ok && (!senderID.MatchString(a.String) || !strings.ContainsFunc(a.String, unicode.IsLetter)) {
		return invalid("%s Reason: it must be 1 to 11 letters and digits, with at least one letter", attributeSender)
	}
	if a, ok := attributes[attributeType]; ok && a.String != "Promotional" && a.String != "Transactional" {
		return invalid("%s Reason: it must be Promotional or Transactional", attributeType)
	}
	if a, ok := attributes[attributePrice]; ok && (a.DataType != "Number" || !decimal.MatchString(a.String)) {
		return invalid("%s Reason: it must be a Number", attributePrice)
	}
	return nil
}

// textTo delivers a topic's message to a phone, the topic's display name before
// it, as SNS does.
func (c *call) textTo(t *topic, s *subscription, n *notification) error {
	text := n.text(protocolSMS)
	if name := t.Attributes["DisplayName"]; name != "" {
		text = name + "> " + text
	}
	why := checkSMS(n.attributes)
	if size := utf8.RuneCountInString(text); size > maxSMS {
		why = fmt.Errorf("it has %d characters, and a text message at most %d", size, maxSMS)
	}
	if why != nil {
		c.Log.Warn("sns: message lost: it cannot be a text message", "topic", t.Name, "message", n.id, "subscription", s.ID, "err", why)
		return nil
	}
	return c.keepSMS(s.Endpoint, text, n)
}

// keepSMS puts a text message into the inbox; it is on disk when it returns nil.
func (c *call) keepSMS(number, text string, n *notification) error {
	sender := n.attributes[attributeSender].String
	if sender == "" {
		sender = n.attributes[attributeOriginal].String
	}
	number = "+" + strings.NewReplacer("+", "", ".", "", "-", "", "/", "").Replace(number)
	content := composeSMS(sender, text, n)
	envelope := inbox.Envelope{Kind: inbox.KindSMS, From: sender, To: []string{number}, Via: "sns"}
	var kept inbox.Entry
	err := c.insist(func(ctx context.Context) (err error) {
		kept, err = c.Inbox.Add(ctx, envelope, bytes.NewReader(content))
		return err
	})
	if err != nil {
		return err
	}
	c.Log.Info("text message received", "via", "sns", "id", kept.ID, "characters", utf8.RuneCountInString(text))
	return nil
}

// composeSMS writes a text message as the inbox keeps all it has: with a header,
// whose subject is the text's beginning.
func composeSMS(sender, text string, n *notification) []byte {
	var b bytes.Buffer
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\r\n", name, mime.QEncoding.Encode("utf-8", value))
		}
	}
	field("From", sender)
	field("Subject", title(text))
	field("Date", n.at.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	field("Sns-Message-Id", n.id)
	field("Sns-Sms-Type", n.attributes[attributeType].String)
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // into memory: neither fails
	_ = w.Close()
	return b.Bytes()
}

// title is the beginning of a text, on one line.
func title(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > titleSize {
		text = string(runes[:titleSize-1]) + "…"
	}
	return text
}
