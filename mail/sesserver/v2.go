package sesserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/dayfly-dev/dayfly/mail"
)

// The request and answers of SES version 2, as far as they are used. Source: API
// reference of SES v2, SendEmail and GetAccount.
type (
	v2Send struct {
		FromEmailAddress               string
		Destination                    struct{ ToAddresses, CcAddresses, BccAddresses []string }
		ReplyToAddresses               []string
		FeedbackForwardingEmailAddress string
		Content                        v2Content
	}
	v2Content struct {
		Simple   *v2Simple
		Raw      *struct{ Data []byte }
		Template json.RawMessage
	}
	v2Simple struct {
		Subject     v2Text
		Body        struct{ Text, Html *v2Text }
		Headers     []struct{ Name, Value string }
		Attachments []v2Attachment
	}
	v2Text       struct{ Data, Charset string }
	v2Attachment struct {
		FileName, ContentType string
		RawContent            []byte
	}
)

func (s *Server) serveV2(w http.ResponseWriter, r *http.Request) {
	var answer any
	var err error
	switch r.Method + " " + strings.TrimSuffix(r.URL.Path, "/") {
	case "POST /v2/email/outbound-emails":
		answer, err = s.v2SendEmail(r)
	case "GET /v2/email/account":
		answer = s.v2Account()
	default:
		err = &problem{http.StatusNotFound, "UnknownOperationException", "", r.Method + " " + r.URL.Path +
			" is not available here. Of SES v2 there are SendEmail and GetAccount."}
	}
	if err != nil {
		p := s.problemOf(err)
		w.Header().Set("X-Amzn-Errortype", p.v2)
		writeJSON(w, p.status, map[string]string{"message": p.message})
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (s *Server) v2SendEmail(r *http.Request) (any, error) {
	var in v2Send
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return nil, err
		}
		return nil, invalid("The request is not the JSON of SendEmail: %v", err)
	}
	kinds := 0
	for _, set := range []bool{in.Content.Simple != nil, in.Content.Raw != nil, in.Content.Template != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return nil, invalid("Content needs one of Simple, Raw and Template.")
	}
	d := in.Destination
	var id string
	var err error
	switch {
	case in.Content.Template != nil:
		return nil, invalid("Templates are not available here: send Simple or Raw content.")
	case in.Content.Raw != nil:
		to := append(append(append([]string{}, d.ToAddresses...), d.CcAddresses...), d.BccAddresses...)
		id, err = s.sendRaw(r.Context(), in.FromEmailAddress, to, in.Content.Raw.Data)
	default:
		id, err = s.sendSimple(r.Context(), in.simple())
	}
	if err != nil {
		return nil, err
	}
	return map[string]string{"MessageId": id}, nil
}

func (in *v2Send) simple() simple {
	c, d := in.Content.Simple, in.Destination
	out := simple{
		from: in.FromEmailAddress, to: d.ToAddresses, cc: d.CcAddresses, bcc: d.BccAddresses, replyTo: in.ReplyToAddresses,
		subject: c.Subject.Data, returnPath: in.FeedbackForwardingEmailAddress, headers: map[string]string{},
	}
	if c.Body.Text != nil {
		out.text = c.Body.Text.Data
	}
	if c.Body.Html != nil {
		out.html = c.Body.Html.Data
	}
	for _, h := range c.Headers {
		out.headers[h.Name] = h.Value
	}
	for _, a := range c.Attachments {
		out.attachments = append(out.attachments, mail.Attachment{Name: a.FileName, ContentType: a.ContentType, Content: a.RawContent})
	}
	return out
}

func (s *Server) v2Account() any {
	return map[string]any{
		"DedicatedIpAutoWarmupEnabled": false,
		"EnforcementStatus":            "HEALTHY",
		"ProductionAccessEnabled":      true,
		"SendingEnabled":               true,
		"SendQuota": map[string]float64{
			"Max24HourSend": quota24Hours, "MaxSendRate": quotaPerSecond, "SentLast24Hours": float64(s.sentLast24Hours()),
		},
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil { // of maps of strings and numbers
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
