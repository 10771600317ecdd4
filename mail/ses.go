package mail

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
)

type sesSender struct{ client *sesv2.Client }

func openSES(ctx context.Context, o Options) (Sender, error) {
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(o.Attempts))
	if err != nil {
		return nil, fmt.Errorf("mail: AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("mail: SES needs a region: set AWS_REGION")
	}
	return &sesSender{sesv2.NewFromConfig(cfg, func(o *sesv2.Options) { o.APIOptions = append(o.APIOptions, awsclient.SteadyBody) })}, nil
}

func (s *sesSender) Send(ctx context.Context, m *Message) error {
	_, err := s.SendID(ctx, m)
	return err
}

// SendID implements IDSender.
func (s *sesSender) SendID(ctx context.Context, m *Message) (id string, err error) {
	raw, err := m.Bytes()
	if err != nil {
		return "", err
	}
	from, err := address("From", m.From)
	if err != nil {
		return "", err
	}
	in := &sesv2.SendEmailInput{
		FromEmailAddress: aws.String(from.String()),
		Content:          &types.EmailContent{Raw: &types.RawMessage{Data: raw}},
		Destination:      &types.Destination{},
	}
	into := map[string]*[]string{
		"To": &in.Destination.ToAddresses, "Cc": &in.Destination.CcAddresses, "Bcc": &in.Destination.BccAddresses,
	}
	for _, l := range m.lists() {
		list := into[l.field]
		if list == nil {
			continue // ReplyTo is in the mail
		}
		for _, a := range l.addresses {
			parsed, err := address(l.field, a)
			if err != nil {
				return "", err
			}
			*list = append(*list, parsed.String())
		}
	}
	out, err := s.client.SendEmail(ctx, in)
	if err != nil {
		return "", awsFailure(err)
	}
	return aws.ToString(out.MessageId), nil
}

// awsFailure sorts what can go wrong: an answer below 500 means that nothing was
// sent; so does a request that never left; of the rest nobody knows. Where the
// context ended the SDK no longer says how far the request had come.
func awsFailure(err error) error {
	var answer *smithyhttp.ResponseError
	var api smithy.APIError
	var request *smithyhttp.RequestSendError
	var network *net.OpError
	var canceled *smithy.CanceledError
	switch {
	case errors.As(err, &network) && network.Op == "dial":
		return &SendError{Temporary: true, Err: err}
	case errors.As(err, &answer):
		if status := answer.HTTPStatusCode(); status >= 500 || status < 300 {
			return &SendError{Unknown: true, Err: err}
		}
		temporary := answer.HTTPStatusCode() == http.StatusTooManyRequests
		if errors.As(err, &api) && (api.ErrorCode() == "Throttling" || api.ErrorCode() == "ThrottlingException") {
			temporary = true
		}
		return &SendError{Temporary: temporary, Err: err}
	case errors.As(err, &request), errors.As(err, &canceled):
		return &SendError{Unknown: true, Err: err}
	}
	return &SendError{Err: err}
}
