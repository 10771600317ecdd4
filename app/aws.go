package app

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/dayfly-dev/dayfly/blob/s3server"
	"github.com/dayfly-dev/dayfly/internal/gateway"
	"github.com/dayfly-dev/dayfly/internal/http1"
	"github.com/dayfly-dev/dayfly/internal/sigv4"
	"github.com/dayfly-dev/dayfly/internal/stsserver"
	"github.com/dayfly-dev/dayfly/mail/sesserver"
	"github.com/dayfly-dev/dayfly/queue/sqsserver"
)

// region of the embedded services: a real one, but not us-east-1, for which boto3
// still signs addresses the old way (version 2) and version 1 of the aws command
// goes to hosts of its own whatever AWS_ENDPOINT_URL says.
const region = "eu-central-2"

// account is the account number in the embedded services' names.
const account = "000000000000"

// startAWS serves SQS, SNS, S3, SES and STS on one address, or points the processes to
// the services of the environment.
func (a *App) startAWS(ctx context.Context) error {
	if a.external.AWS {
		if v := a.environ["AWS_ENDPOINT_URL"]; v != "" {
			a.variables.set("AWS_ENDPOINT_URL", v)
		}
		region := cmp.Or(a.environ["AWS_REGION"], a.environ["AWS_DEFAULT_REGION"])
		a.variables.set("AWS_REGION", region)
		a.variables.set("AWS_DEFAULT_REGION", region)
		for name := range a.manifest.Queue {
			url := a.environ["QUEUE_"+envName(name)+"_URL"]
			if url == "" {
				var err error
				if url, err = a.queueURL(ctx, name); err != nil {
					return err
				}
			}
			a.variables.set("QUEUE_"+envName(name)+"_URL", url)
		}
		where := a.environ["AWS_ENDPOINT_URL"]
		if where == "" {
			where = "Amazon Web Services"
		}
		a.address("AWS endpoint", where, "from the environment")
		return nil
	}
	return a.startGateway(ctx)
}

func (a *App) startGateway(context.Context) error {
	objects, err := s3server.Open(s3server.Options{Dir: a.data.path("objects"), AccessKey: a.keys.AccessKey,
		SecretKey: a.keys.SecretKey, Region: region, Log: a.log})
	if err != nil {
		return err
	}
	a.onStop("objects", objects.Shutdown)
	if err := a.openInbox(); err != nil {
		return err
	}
	sqs, err := sqsserver.New(sqsserver.Options{Service: a.queues, Region: region, Account: account, Log: a.log})
	if err != nil {
		return err
	}
	ses, err := sesserver.New(sesserver.Options{Inbox: a.inbox.store, Log: a.log})
	if err != nil {
		return err
	}
	sns, err := a.openTopics()
	if err != nil {
		return err
	}
	own := sigv4.Credentials{AccessKeyID: a.keys.AccessKey, SecretAccessKey: a.keys.SecretKey}
	sts := &stsserver.Server{Account: account, Credentials: own}
	handler, err := gateway.New(gateway.Options{Credentials: []sigv4.Credentials{own},
		Services: map[string]http.Handler{"sqs": sqs, "sns": sns, "ses": ses, "sts": sts}, S3: objects, Log: a.log})
	if err != nil {
		return err
	}
	l, note, err := listen(a.manifest.Listen.AWS)
	if err != nil {
		return err
	}
	url := "http://" + l.Addr().String()
	a.serve("AWS endpoint", l, closing{&http1.Server{Log: a.log,
		HTTP: &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}}})
	a.onStop("long polls", sqs.Shutdown)
	a.address("AWS endpoint", url, note)
	a.variables.set("AWS_ENDPOINT_URL", url)
	a.variables.set("AWS_REGION", region)
	a.variables.set("AWS_DEFAULT_REGION", region) // the name boto3 reads
	a.variables.set("AWS_ACCESS_KEY_ID", a.keys.AccessKey)
	a.variables.set("AWS_SECRET_ACCESS_KEY", a.keys.SecretKey)
	for name := range a.manifest.Queue {
		a.variables.set("QUEUE_"+envName(name)+"_URL", url+"/"+account+"/"+a.names[name])
	}
	a.buckets = &buckets{app: a, server: objects}
	return nil
}
