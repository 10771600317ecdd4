package snsserver

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// attrs makes message attributes: a value that begins with # is a Number, one
// with [ a String.Array.
func attrs(list ...string) map[string]Attribute {
	m := map[string]Attribute{}
	for name, value := range pairs(list) {
		a := Attribute{DataType: "String", String: value}
		if number, ok := strings.CutPrefix(value, "#"); ok {
			a = Attribute{DataType: "Number", String: number}
		} else if strings.HasPrefix(value, "[") {
			a.DataType = "String.Array"
		}
		m[name] = a
	}
	return m
}

// TestFilterAttributes: the examples are those of the developer guide where it
// has any.
func TestFilterAttributes(t *testing.T) {
	for _, tc := range []struct {
		policy string
		yes    []map[string]Attribute
		no     []map[string]Attribute
	}{
		{`{"a":["rugby","tennis"]}`, []map[string]Attribute{attrs("a", "rugby"), attrs("a", "tennis", "b", "x"), attrs("a", `["golf","tennis"]`)},
			[]map[string]Attribute{attrs("a", "baseball"), attrs(), attrs("b", "rugby"), attrs("a", "Rugby"), attrs("a", `["golf"]`), attrs("a", `[]`), attrs("a", `[not JSON`)}},
		{`{"a":["x"],"b":["y"]}`, []map[string]Attribute{attrs("a", "x", "b", "y")}, []map[string]Attribute{attrs("a", "x"), attrs("b", "y"), attrs("a", "y", "b", "x")}},
		{`{"a":[{"prefix":"bas"}]}`, []map[string]Attribute{attrs("a", "baseball"), attrs("a", "bas"), attrs("a", `["x","basket"]`)}, []map[string]Attribute{attrs("a", "rugby"), attrs("a", "ba"), attrs("a", "#1"), attrs()}},
		{`{"a":[{"suffix":"ball"}]}`, []map[string]Attribute{attrs("a", "baseball")}, []map[string]Attribute{attrs("a", "ballad"), attrs()}},
		{`{"a":[{"equals-ignore-case":"Tennis"}]}`, []map[string]Attribute{attrs("a", "TENNIS")}, []map[string]Attribute{attrs("a", "tennis2")}},
		{`{"a":[{"anything-but":["rugby","tennis"]}]}`, []map[string]Attribute{attrs("a", "golf"), attrs("a", `["rugby","baseball"]`)}, []map[string]Attribute{attrs("a", "rugby"), attrs("a", `["rugby"]`), attrs()}},
		{`{"a":[{"anything-but":"rugby"}]}`, []map[string]Attribute{attrs("a", "golf")}, []map[string]Attribute{attrs("a", "rugby"), attrs()}},
		{`{"a":[{"anything-but":{"prefix":"order-"}}]}`, []map[string]Attribute{attrs("a", "data-entry")}, []map[string]Attribute{attrs("a", "order-number"), attrs()}},
		{`{"a":[{"anything-but":[100,500]}]}`, []map[string]Attribute{attrs("a", "#101"), attrs("a", "#100.1")}, []map[string]Attribute{attrs("a", "#100"), attrs("a", "#1e2"), attrs()}},
		{`{"a":[100]}`, []map[string]Attribute{attrs("a", "#100"), attrs("a", "#100.0"), attrs("a", "#+1e2"), attrs("a", "[1,100]")}, []map[string]Attribute{attrs("a", "#101"), attrs("a", "100"), attrs("a", "#not a number"), attrs()}},
		{`{"a":["100"]}`, []map[string]Attribute{attrs("a", "100")}, []map[string]Attribute{attrs("a", "#100")}},
		{`{"a":[{"numeric":["=",301.5]}]}`, []map[string]Attribute{attrs("a", "#301.5"), attrs("a", "#3.015e2")}, []map[string]Attribute{attrs("a", "#301"), attrs("a", "301.5"), attrs()}},
		{`{"a":[{"numeric":["<",0]}]}`, []map[string]Attribute{attrs("a", "#-1"), attrs("a", "#-1e999")}, []map[string]Attribute{attrs("a", "#0"), attrs("a", "#1e999")}},
		{`{"a":[{"numeric":[">",0,"<=",150]}]}`, []map[string]Attribute{attrs("a", "#0.00001"), attrs("a", "#150")}, []map[string]Attribute{attrs("a", "#0"), attrs("a", "#150.00001")}},
		{`{"a":[{"numeric":[">=",9007199254740993]}]}`, []map[string]Attribute{attrs("a", "#9007199254740993")}, []map[string]Attribute{attrs("a", "#9007199254740992")}},
		{`{"a":[{"numeric":["=",1e-400]}]}`, []map[string]Attribute{attrs("a", "#0"), attrs("a", "#0.0000000000000000")}, []map[string]Attribute{attrs("a", "#1e-300")}},
		{`{"a":[{"exists":true}]}`, []map[string]Attribute{attrs("a", "x"), attrs("a", "#0")}, []map[string]Attribute{attrs(), attrs("b", "x")}},
		{`{"a":[{"exists":false}]}`, []map[string]Attribute{attrs(), attrs("b", "x")}, []map[string]Attribute{attrs("a", "x")}},
		{`{"a":[{"anything-but":["x"]},{"exists":false}]}`, []map[string]Attribute{attrs(), attrs("a", "y")}, []map[string]Attribute{attrs("a", "x")}},
		{`{"a":[{"cidr":"10.0.0.0/24"}]}`, []map[string]Attribute{attrs("a", "10.0.0.0"), attrs("a", "10.0.0.255")}, []map[string]Attribute{attrs("a", "10.1.1.0"), attrs("a", "x")}},
		{`{"a":[true,null]}`, []map[string]Attribute{attrs("a", "[true]"), attrs("a", "[null]")}, []map[string]Attribute{attrs("a", "true"), attrs("a", "[false]"), attrs()}},
		{`{"$or":[{"a":["x"]},{"b":["y"]}]}`, []map[string]Attribute{attrs("a", "x"), attrs("b", "y")}, []map[string]Attribute{attrs("a", "y"), attrs()}},
		{`{"$or":[{"prefix":"x"},{"prefix":"y"}]}`, nil, []map[string]Attribute{attrs("prefix", "x"), attrs()}},
	} {
		f, err := newFilter(map[string]string{"FilterPolicy": tc.policy})
		if err != nil {
			t.Errorf("%s: %v", tc.policy, err)
			continue
		}
		for want, all := range map[bool][]map[string]Attribute{true: tc.yes, false: tc.no} {
			for _, a := range all {
				if f.lets(`{"a":"the body does not count"}`, a) != want {
					t.Errorf("%s on %v is %v", tc.policy, a, !want)
				}
			}
		}
	}
	binary := map[string]Attribute{"a": {DataType: "Binary", Binary: []byte("x")}}
	f, err := newFilter(map[string]string{"FilterPolicy": `{"a":[{"exists":false}]}`})
	if err != nil || !f.lets("", binary) {
		t.Errorf("a binary attribute is looked at: %v", err)
	}
}

func TestFilterBody(t *testing.T) {
	for _, tc := range []struct{ policy, yes, no string }{
		{`{"a":["x"]}`, `{"a":"x"} {"a":["y","x"]} {"a":[["x"]]}`, `{"a":"y"} {} "x" [{"a":"x"}] no-JSON {"a":{"b":"x"}}`},
		{`{"a":{"b":["x"]}}`, `{"a":{"b":"x"}} {"a":[{"b":"y"},{"b":"x"}]} {"a":[[{"b":"x"}]]}`, `{"a":{"c":"x"}} {"b":"x"} {"a":"b"} {"a":[]}`},
		// One element has to satisfy all of what is asked of it.
		{`{"a":{"b":["x"],"c":["y"]}}`, `{"a":[{"b":"x","c":"y"}]}`, `{"a":[{"b":"x","c":"z"},{"b":"z","c":"y"}]}`},
		{`{"a":{"b":[{"exists":false}]}}`, `{} {"a":{}} {"a":1} {"a":[]}`, `{"a":{"b":1}} {"a":{"b":null}}`},
		{`{"a":[{"exists":true}]}`, `{"a":null} {"a":0}`, `{} {"a":{}} {"a":[]}`},
		{`{"a":[null]}`, `{"a":null}`, `{} {"a":"null"} {"a":0}`},
		{`{"a":[{"anything-but":["x"]}]}`, `{"a":"y"} {"a":1} {"a":true}`, `{"a":"x"} {"a":null} {}`},
		{`{"a":[1.0]}`, `{"a":1} {"a":1.00} {"a":10e-1}`, `{"a":"1"} {"a":1.01} {"a":1e999999999} {"a":true}`},
		{`{"a":{"s":["S"],"$or":[{"x":[1]},{"y":[2]}]},"$or":[{"b":[true]},{"c":[false]}]}`,
			`{"a":{"s":"S","x":1},"b":true} {"a":{"s":"S","y":2},"c":false}`, `{"a":{"s":"S","x":1}} {"a":{"s":"S"},"b":true} {"a":{"x":1},"b":true}`},
	} {
		f, err := newFilter(map[string]string{"FilterPolicy": tc.policy, "FilterPolicyScope": scopeBody})
		if err != nil {
			t.Errorf("%s: %v", tc.policy, err)
			continue
		}
		for want, all := range map[bool]string{true: tc.yes, false: tc.no} {
			for body := range strings.FieldsSeq(all) {
				if f.lets(body, attrs("a", "x")) != want {
					t.Errorf("%s on %s is %v", tc.policy, body, !want)
				}
			}
		}
	}
}

func TestFilterRefused(t *testing.T) {
	var many []string
	for i := range 151 {
		many = append(many, fmt.Sprint(i))
	}
	keys := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`"k%d":["v"]`, i))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	for policy, want := range map[string]string{
		`x`:                                   "failed to parse JSON.",
		`["a"]`:                               "failed to parse JSON.",
		`{"a":["b"]} x`:                       "failed to parse JSON.",
		strings.Repeat("[", 200):              "failed to parse JSON.",
		`{"a":"b"}`:                           `"a" must be an object or an array`,
		`{"a":[]}`:                            "Empty arrays are not allowed",
		`{"a":[["b"]]}`:                       "Match value must be String, number, true, false, or null",
		`{"a":[{"wildcard":"*"}]}`:            "Unrecognized match type wildcard",
		`{"a":[{"suffix":"a","prefix":"b"}]}`: "Only one key allowed in match expression",
		`{"a":[{}]}`:                          "Only one key allowed in match expression",
		`{"a":[{"suffix":100}]}`:              "suffix match pattern must be a string",
		`{"a":[{"exists":"no"}]}`:             "exists match pattern must be either true or false.",
		`{"a":[{"anything-but":[]}]}`:         "Empty arrays are not allowed",
		`{"a":[{"anything-but":[null]}]}`:     "Inside anything but list",
		`{"a":[{"anything-but":{"suffix":"x"}}]}`:              "Unsupported anything-but pattern",
		`{"a":[{"cidr":1}]}`:                                   "prefix match pattern must be a string",
		`{"a":[{"cidr":"10.0.0.0"}]}`:                          "Malformed CIDR",
		`{"a":[{"numeric":1}]}`:                                "Value of numeric must be an array.",
		`{"a":[{"numeric":[]}]}`:                               "Invalid member in numeric match: ]",
		`{"a":[{"numeric":["op"]}]}`:                           "Unrecognized numeric range operator: op",
		`{"a":[{"numeric":[1,"<="]}]}`:                         "Invalid member in numeric match: 1",
		`{"a":[{"numeric":["=","0"]}]}`:                        "Value of equals must be numeric",
		`{"a":[{"numeric":[">="]}]}`:                           "Value of >= must be numeric",
		`{"a":[{"numeric":["<",100,">",10]}]}`:                 "Too many elements in numeric expression",
		`{"a":[{"numeric":[">=",1,">",2]}]}`:                   "Bad numeric range operator: >",
		`{"a":[{"numeric":[">",3,"<",1]}]}`:                    "Bottom must be less than top",
		`{"a":[{"numeric":[">",20,"<="]}]}`:                    "Value of <= must be numeric",
		`{"a":[{"numeric":[">",20,30]}]}`:                      "Bad value in numeric range: 30",
		`{"a":[{"numeric":[">",20,"<",30,"<",50]}]}`:           "Too many terms in numeric range expression",
		`{"a":{"b":["c"]}}`:                                    "Filter policy scope MessageAttributes does not support nested filter policy",
		keys(6):                                                "Filter policy can not have more than 5 keys",
		`{"a":[` + strings.Join(many, ",") + `]}`:              "Filter policy is too complex",
		`{"a":["` + strings.Repeat("v", maxPolicySize) + `"]}`: "must be at most",
	} {
		if _, err := newFilter(map[string]string{"FilterPolicy": policy}); err == nil || !strings.HasPrefix(err.Error(), "FilterPolicy: "+want) {
			t.Errorf("%.80s: %v, want %s", policy, err, want)
		}
	}
	for _, good := range []string{keys(5), `{"a":[` + strings.Join(many[:150], ",") + `]}`} {
		if _, err := newFilter(map[string]string{"FilterPolicy": good}); err != nil {
			t.Errorf("%.80s: %v", good, err)
		}
	}
}

// TestExact: only numbers whose digits are few are written out; 1e-999999 would
// have a million, and a message may hold thousands of its kind.
func TestExact(t *testing.T) {
	for n, want := range map[json.Number]bool{"0.1": true, "-1e30": true, "1e-30": true, "9007199254740993": true,
		"1e-31": false, "1e-999999": false, "-1e-999999": false, "1e999999": false, "0e999999": false, "1e99999999999999999999": false} {
		if _, ok := exact(n); ok != want {
			t.Errorf("%s is %v", n, ok)
		}
	}
	for _, tc := range []struct {
		a, b json.Number
		want int
	}{{"1e-999999", "5", -1}, {"1e999999", "5", 1}, {"-1e999999", "5", -1}, {"9007199254740993", "9007199254740992", 1},
		{"0.10000000000000000001", "0.1", 1}, {"1.0", "1", 0}, {"0e999999", "0", 0}} {
		if got := compare(tc.a, tc.b); got != tc.want {
			t.Errorf("%s to %s is %d", tc.a, tc.b, got)
		}
	}
}

// FuzzFilter: no policy and no message is too strange, and adding an $or never
// lets less through.
func FuzzFilter(f *testing.F) {
	f.Add(`{"a":[{"numeric":[">",0,"<",5]}],"b":{"c":[{"exists":false}]}}`, `{"a":[1,{"b":null}],"b":[]}`, true)
	f.Add(`{"$or":[{"a":["x"]},{"b":[{"anything-but":{"prefix":"y"}}]}]}`, `{"a":"x"}`, false)
	f.Fuzz(func(t *testing.T, policy, message string, body bool) {
		attributes := map[string]string{"FilterPolicy": policy}
		if body {
			attributes["FilterPolicyScope"] = scopeBody
		}
		filter, err := newFilter(attributes)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "FilterPolicy: ") {
				t.Fatalf("error %q", err)
			}
			return
		}
		lets := filter.lets(message, attrs("a", message, "b", "#"+message))
		wider, err := newFilter(map[string]string{"FilterPolicyScope": attributes["FilterPolicyScope"],
			"FilterPolicy": `{"$or":[` + policy + `,{"none of these":["x"]}]}`})
		if lets && policy != "" && err == nil && wider != nil && strings.Contains(policy, `"a"`) && !wider.lets(message, attrs("a", message, "b", "#"+message)) {
			t.Fatalf("%s lets %s through, and less with an alternative", policy, message)
		}
	})
}
