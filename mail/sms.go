package mail

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"github.com/dayfly-dev/dayfly/internal/awsclient"
)

// MaxText is the longest text message in characters (SNS, Publish); it travels
// as several parts.
const MaxText = 1600

// Text is one text message to one phone.
type Text struct {
	// To is the number, as +359881234567 (E.164).
	To string
	// Body is 1–1600 characters.
	Body string
	// Sender is who it comes from where the country shows names: 1–11 letters
	// and digits, one of them a letter. Default: the account's.
	Sender string
	// Promotional is for what may arrive late at a lower price; default is
	// transactional, as for a PIN.
	Promotional bool
}

// number is an address as E.164 has it; sender a name as SNS takes it.
var (
	number = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)
	sender = regexp.MustCompile(`^[A-Za-z0-9 -]{0,10}[A-Za-z][A-Za-z0-9 -]{0,10}$`)
)

// Validate returns nil, or an *InvalidError naming the field at fault.
func (t *Text) Validate() error {
	switch n := utf8.RuneCountInString(t.Body); {
	case !number.MatchString(t.To):
		return &InvalidError{"To", fmt.Sprintf("%.20q is not a number as +359881234567", t.To)}
	case strings.TrimSpace(t.Body) == "" || !utf8.ValidString(t.Body):
		return &InvalidError{"Body", "it is empty or not UTF-8"}
	case n > MaxText:
		return &InvalidError{"Body", fmt.Sprintf("it has %d characters, more than %d", n, MaxText)}
	case t.Sender != "" && (len(t.Sender) > 11 || !sender.MatchString(t.Sender)):
		return &InvalidError{"Sender", "it is not 1–11 letters and digits with a letter among them"}
	}
	return nil
}

// TextSender sends text messages. Its methods may be called at once from
// several goroutines.
type TextSender interface {
	// SendText hands over one text, once, and returns the provider's id of it.
	// Errors are those of Sender.Send.
	SendText(ctx context.Context, t *Text) (id string, err error)
}

// OpenText returns the TextSender for an address; there is one kind, "sns:",
// Amazon SNS by the AWS SDK's configuration. Of the options Timeout does not
// apply: the context bounds a call.
func OpenText(ctx context.Context, address string, opts *Options) (TextSender, error) {
	if address != "sns:" {
		return nil, fmt.Errorf("mail: unknown kind of address %q for text messages: use sns:", address)
	}
	attempts := 1
	if opts != nil && opts.Attempts < 0 {
		return nil, fmt.Errorf("mail: Options.Attempts is %d; it cannot be negative", opts.Attempts)
	}
	if opts != nil && opts.Attempts > 0 {
		attempts = opts.Attempts
	}
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRetryMaxAttempts(attempts))
	if err != nil {
		return nil, fmt.Errorf("mail: AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		return nil, errors.New("mail: SNS needs a region: set AWS_REGION")
	}
	return &snsSender{sns.NewFromConfig(cfg, func(o *sns.Options) { o.APIOptions = append(o.APIOptions, awsclient.SteadyBody) })}, nil
}

type snsSender struct{ client *sns.Client }

func (s *snsSender) SendText(ctx context.Context, t *Text) (string, error) {
	if err := t.Validate(); err != nil {
		return "", err
	}
	kind := "Transactional"
	if t.Promotional {
		kind = "Promotional"
	}
	text := func(v string) types.MessageAttributeValue {
		return types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(v)}
	}
	in := &sns.PublishInput{
		PhoneNumber: aws.String(t.To), Message: aws.String(t.Body),
		MessageAttributes: map[string]types.MessageAttributeValue{"AWS.SNS.SMS.SMSType": text(kind)},
	}
	if t.Sender != "" {
		in.MessageAttributes["AWS.SNS.SMS.SenderID"] = text(t.Sender)
	}
	out, err := s.client.Publish(ctx, in)
	if err != nil {
		return "", awsFailure(err)
	}
	return aws.ToString(out.MessageId), nil
}
