package sqsqueue

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// signingKey is the key of Signature Version 4 for one day, which is derived
// once (AWS, "Signature Version 4 signing process").
type signingKey struct {
	mu     sync.Mutex
	day    string
	secret string
	key    []byte
}

func (k *signingKey) of(day, secret, region string) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.day != day || k.secret != secret {
		key := []byte("AWS4" + secret)
		for _, part := range []string{day, region, "sqs", "aws4_request"} {
			key = sum(key, []byte(part))
		}
		k.day, k.secret, k.key = day, secret, key
	}
	return k.key
}

func sum(key, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(text)
	return h.Sum(nil)
}

// appendRequest appends a signed request of SQS's JSON protocol.
func (d *direct) appendRequest(b []byte, operation string, body []byte, keys *aws.Credentials) []byte {
	stamp := time.Now().UTC().Format("20060102T150405Z")
	b = append(b, "POST / HTTP/1.1\r\nHost: "...)
	b = append(b, d.host...)
	b = append(b, "\r\nUser-Agent: dayfly-sqsqueue\r\n"+entriesHeader+": 100\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS."...)
	b = append(b, operation...)
	b = append(b, "\r\nX-Amz-Date: "...)
	b = append(b, stamp...)
	if keys.SessionToken != "" {
		b = append(b, "\r\nX-Amz-Security-Token: "...)
		b = append(b, keys.SessionToken...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\nAuthorization: "...)
	b = d.appendAuthorization(b, operation, stamp, body, keys)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}

// appendAuthorization signs the headers that appendRequest writes.
func (d *direct) appendAuthorization(b []byte, operation, stamp string, body []byte, keys *aws.Credentials) []byte {
	const names = "content-type;host;x-amz-date"
	signed := names + ";x-amz-target"
	token := ""
	if keys.SessionToken != "" {
		signed = names + ";x-amz-security-token;x-amz-target"
		token = "x-amz-security-token:" + keys.SessionToken + "\n"
	}
	hash := sha256.Sum256(body)
	text := make([]byte, 0, 512)
	text = append(text, "POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:"...)
	text = append(text, d.host...)
	text = append(text, "\nx-amz-date:"...)
	text = append(text, stamp...)
	text = append(text, '\n')
	text = append(text, token...)
	text = append(text, "x-amz-target:AmazonSQS."...)
	text = append(text, operation...)
	text = append(text, "\n\n"...)
	text = append(text, signed...)
	text = append(text, '\n')
	text = hex.AppendEncode(text, hash[:])
	request := sha256.Sum256(text)

	day := stamp[:8]
	scope := day + "/" + d.region + "/sqs/aws4_request"
	text = append(text[:0], "AWS4-HMAC-SHA256\n"...)
	text = append(text, stamp...)
	text = append(text, '\n')
	text = append(text, scope...)
	text = append(text, '\n')
	text = hex.AppendEncode(text, request[:])
	signature := sum(d.key.of(day, keys.SecretAccessKey, d.region), text)

	b = append(b, "AWS4-HMAC-SHA256 Credential="...)
	b = append(b, keys.AccessKeyID...)
	b = append(b, '/')
	b = append(b, scope...)
	b = append(b, ", SignedHeaders="...)
	b = append(b, signed...)
	b = append(b, ", Signature="...)
	return hex.AppendEncode(b, signature)
}
