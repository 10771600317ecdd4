package awsquery_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

func TestForm(t *testing.T) {
	f, err := awsquery.Parse("Action=Publish&Empty=&Tags.member.10.Key=ten&Tags.member.2.Key=two&Tags.member.2.Value=a%26b+c&"+
		"Name.1=x&Name.3=z&Name.01=no&Name.0=no&Name.-1=no&Name.n=no&&Action=Second", "Action=Third&OnlyURL=1")
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Get("Action"); got != "Publish" {
		t.Errorf("Action is %q; the first counts", got)
	}
	if got := f.Get("OnlyURL"); got != "1" {
		t.Errorf("OnlyURL is %q", got)
	}
	if v, given := f.Lookup("Empty"); v != "" || !given {
		t.Errorf("Empty: %q %v", v, given)
	}
	for _, absent := range []string{"None", "Tags", "Tags.member.2", "Tags.member.2.Key.deeper", ""} {
		if v, given := f.Lookup(absent); v != "" || given {
			t.Errorf("%s: %q %v", absent, v, given)
		}
	}
	var tags []string
	for _, tag := range f.List("Tags.member") {
		tags = append(tags, tag.Get("Key")+"="+tag.Get("Value"))
	}
	if diff := cmp.Diff([]string{"two=a&b c", "ten="}, tags); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x", "z"}, f.Strings("Name")); diff != "" {
		t.Error(diff)
	}
	if f.At("Name.3").Value() != "z" || f.At("Name.2").Value() != "" || f.List("None") != nil || f.Strings("None") != nil {
		t.Error("At, List or Strings is wrong of what there is or is not")
	}
}

func TestMalformed(t *testing.T) {
	atLimit := strings.Repeat("a=&", awsquery.MaxParameters)
	for name, tc := range map[string]struct {
		forms []string
		good  bool
	}{
		"percent in a value":      {[]string{"a=%zz"}, false},
		"percent in a name":       {[]string{"%1=a"}, false},
		"many parameters":         {[]string{atLimit}, true},
		"too many parameters":     {[]string{atLimit, "a="}, false},
		"deep":                    {[]string{strings.Repeat("a.", awsquery.MaxDepth-1) + "a=1"}, true},
		"too deep":                {[]string{strings.Repeat("a.", awsquery.MaxDepth) + "a=1"}, false},
		"too deep, dots escaped":  {[]string{strings.Repeat("a%2e", awsquery.MaxDepth) + "a=1"}, false},
		"nothing":                 {nil, true},
		"empty parts":             {[]string{"..=1&=2&."}, true},
		"semicolons are no marks": {[]string{"a=1;b=2"}, true},
	} {
		_, err := awsquery.Parse(tc.forms...)
		var malformed *awsquery.MalformedError
		if (err == nil) != tc.good || err != nil && !errors.As(err, &malformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzForm holds Parse against the library's parser.
func FuzzForm(f *testing.F) {
	for _, s := range []string{"Action=Publish&Message=a+b%20c", "L.member.2=b&L.member.1=a", "a&a=1&=&%41=2", "a=%", "a;b=1", "..1.=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		form, err := awsquery.Parse(s)
		if err != nil {
			if form != nil {
				t.Fatal("a form and an error")
			}
			return
		}
		want, err := url.ParseQuery(strings.ReplaceAll(s, ";", "%3B"))
		if err != nil {
			t.Fatalf("taken, but %v", err)
		}
		for name, values := range want {
			if got, given := form.Lookup(name); !given || got != values[0] {
				t.Fatalf("%q is %q %v, want %q", name, got, given, values[0])
			}
			if prefix, last, ok := strings.Cut(name, "."); ok && last == "1" && len(form.List(prefix)) == 0 {
				t.Fatalf("%q has no element", prefix)
			}
		}
	})
}

func TestReply(t *testing.T) {
	var w awsquery.Writer
	w.Text("left over", "x")
	w.Reset()
	w.Reply("urn:x", "ListThings", "id-1", func(w *awsquery.Writer) {
		w.Begin("Things")
		w.Text("member", "a<b>&\"'\r\n\t\x00\xff\uFFFEé")
		w.Text("member", "")
		w.End()
	})
	var got struct {
		XMLName xml.Name
		Things  []string `xml:"ListThingsResult>Things>member"`
		ID      string   `xml:"ResponseMetadata>RequestId"`
	}
	if err := xml.Unmarshal(w.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, w.Bytes())
	}
	if got.XMLName != (xml.Name{Space: "urn:x", Local: "ListThingsResponse"}) || got.ID != "id-1" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([]string{"a<b>&\"'\r\n\t\uFFFD\uFFFD\uFFFDé", ""}, got.Things); diff != "" {
		t.Error(diff)
	}
	w.Reset()
	w.Reply("urn:x", "Delete", "id-2", nil)
	if want := "<?xml version=\"1.0\"?>\n<DeleteResponse xmlns=\"urn:x\"><ResponseMetadata><RequestId>id-2</RequestId></ResponseMetadata></DeleteResponse>"; string(w.Bytes()) != want {
		t.Errorf("%s", w.Bytes())
	}
}

func TestFault(t *testing.T) {
	for status, blame := range map[int]string{404: "Sender", 500: "Receiver"} {
		var w awsquery.Writer
		w.Fault("urn:x", &awsquery.Fault{Status: status, Code: "NotFound", Message: "a < b"}, "id-3")
		r := httptest.NewRecorder()
		w.Send(r, status, "id-3")
		var root struct {
			XMLName   xml.Name `xml:"urn:x ErrorResponse"`
			RequestID string   `xml:"RequestId"`
		}
		if err := xml.Unmarshal(r.Body.Bytes(), &root); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("<Error><Type>%s</Type><Code>NotFound</Code><Message>a &lt; b</Message></Error>", blame)
		if r.Code != status || root.RequestID != "id-3" || !strings.Contains(r.Body.String(), want) ||
			r.Header().Get("X-Amzn-RequestId") != "id-3" || r.Header().Get("Content-Type") != "text/xml" {
			t.Errorf("%d %v %s", r.Code, r.Header(), r.Body)
		}
	}
}

// FuzzText: what a reply says is what a parser reads.
func FuzzText(f *testing.F) {
	f.Add("a<b>&\r\n\t\x00]]>")
	f.Fuzz(func(t *testing.T, s string) {
		var w awsquery.Writer
		w.Text("a", s)
		var got string
		if err := xml.Unmarshal(w.Bytes(), &got); err != nil {
			t.Fatalf("%v in %q", err, w.Bytes())
		}
		want := strings.Map(func(c rune) rune {
			if c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF {
				return utf8.RuneError
			}
			return c
		}, s)
		if got != want {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}
