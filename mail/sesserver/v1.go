package sesserver

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// xmlns is the namespace of the answers of SES version 1. Source: API reference of
// Amazon SES, 2010-12-01.
const xmlns = "http://ses.amazonaws.com/doc/2010-12-01/"

// maxMembers bounds a list of a query.
const maxMembers = 1000

func (s *Server) serveV1(w http.ResponseWriter, r *http.Request) {
	request := w.Header().Get("X-Amzn-Requestid")
	action, result, err := s.v1(r)
	if err != nil {
		p := s.problemOf(err)
		kind := "Sender"
		if p.status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		writeXML(w, p.status, v1Error{Xmlns: xmlns, Type: kind, Code: p.v1, Message: p.message, RequestID: request})
		return
	}
	writeXML(w, http.StatusOK, v1Answer{
		XMLName:   xml.Name{Local: action + "Response"},
		Xmlns:     xmlns,
		Result:    v1Result{XMLName: xml.Name{Local: action + "Result"}, Fields: result},
		RequestID: request,
	})
}

type (
	v1Answer struct {
		XMLName   xml.Name
		Xmlns     string `xml:"xmlns,attr"`
		Result    v1Result
		RequestID string `xml:"ResponseMetadata>RequestId"`
	}
	v1Result struct {
		XMLName xml.Name
		Fields  []v1Field
	}
	v1Field struct {
		XMLName xml.Name
		Value   string    `xml:",chardata"`
		Fields  []v1Field `xml:",omitempty"`
	}
	v1Error struct {
		XMLName   xml.Name `xml:"ErrorResponse"`
		Xmlns     string   `xml:"xmlns,attr"`
		Type      string   `xml:"Error>Type"`
		Code      string   `xml:"Error>Code"`
		Message   string   `xml:"Error>Message"`
		RequestID string   `xml:"RequestId"`
	}
)

func one(name, value string) v1Field { return v1Field{XMLName: xml.Name{Local: name}, Value: value} }

func group(name string, fields ...v1Field) v1Field {
	return v1Field{XMLName: xml.Name{Local: name}, Fields: fields}
}

func (s *Server) v1(r *http.Request) (action string, result []v1Field, err error) {
	if err := r.ParseForm(); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return "", nil, err
		}
		return "", nil, &problem{http.StatusBadRequest, "", "MalformedQueryString", fmt.Sprintf("The query cannot be read: %v", err)}
	}
	f := r.Form
	action = f.Get("Action")
	var id string
	switch action {
	case "SendEmail":
		id, err = s.sendSimple(r.Context(), v1Simple(f))
		result = []v1Field{one("MessageId", id)}
	case "SendRawEmail":
		id, err = s.v1SendRaw(r, f)
		result = []v1Field{one("MessageId", id)}
	case "GetSendQuota":
		result = []v1Field{
			one("Max24HourSend", strconv.Itoa(quota24Hours)), one("MaxSendRate", strconv.Itoa(quotaPerSecond)),
			one("SentLast24Hours", strconv.Itoa(s.sentLast24Hours())),
		}
	case "VerifyEmailIdentity", "VerifyEmailAddress":
		address := f.Get("EmailAddress")
		_, err = addresses([]string{address})
	case "GetIdentityVerificationAttributes":
		var entries []v1Field
		for _, identity := range members(f, "Identities") {
			entries = append(entries, group("entry", one("key", identity), group("value", one("VerificationStatus", "Success"))))
		}
		result = []v1Field{group("VerificationAttributes", entries...)}
	case "":
		err = &problem{http.StatusBadRequest, "", "MissingAction", "The request has no Action."}
	default:
		err = &problem{http.StatusBadRequest, "", "InvalidAction", "The action " + strconv.Quote(action) +
			" is not available here. Of SES v1 there are SendEmail, SendRawEmail, GetSendQuota, VerifyEmailIdentity and GetIdentityVerificationAttributes."}
	}
	return action, result, err
}

func v1Simple(f url.Values) simple {
	return simple{
		from: f.Get("Source"), to: members(f, "Destination.ToAddresses"), cc: members(f, "Destination.CcAddresses"),
		bcc: members(f, "Destination.BccAddresses"), replyTo: members(f, "ReplyToAddresses"),
		subject: f.Get("Message.Subject.Data"), text: f.Get("Message.Body.Text.Data"), html: f.Get("Message.Body.Html.Data"),
		returnPath: f.Get("ReturnPath"),
	}
}

func (s *Server) v1SendRaw(r *http.Request, f url.Values) (string, error) {
	data, err := base64.StdEncoding.DecodeString(f.Get("RawMessage.Data"))
	if err != nil {
		return "", invalid("RawMessage.Data is not base64: %v", err)
	}
	return s.sendRaw(r.Context(), f.Get("Source"), members(f, "Destinations"), data)
}

// members collects name.member.1, name.member.2 and so on.
func members(f url.Values, name string) []string {
	var list []string
	for i := 1; i <= maxMembers; i++ {
		v, ok := f[name+".member."+strconv.Itoa(i)]
		if !ok {
			break
		}
		list = append(list, v[0])
	}
	return list
}

func writeXML(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	if err := xml.NewEncoder(&b).Encode(v); err != nil {
		panic(err) // of strings only
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = strings.NewReader(b.String()).WriteTo(w)
}
