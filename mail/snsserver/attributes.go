package snsserver

import (
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/dayfly-dev/dayfly/internal/awsquery"
)

// readAttributes reads MessageAttributes.entry.N.Name and .Value.
func readAttributes(f *awsquery.Form) (map[string]Attribute, error) {
	list := f.List("MessageAttributes.entry")
	attributes := make(map[string]Attribute, len(list))
	for _, e := range list {
		name := e.Get("Name")
		if err := checkAttributeName(name); err != nil {
			return nil, err
		}
		a, err := readAttribute(name, e.At("Value"))
		if err != nil {
			return nil, err
		}
		attributes[name] = a
	}
	return attributes, nil
}

// checkAttributeName is the rule for names of message attributes.
func checkAttributeName(name string) error {
	switch {
	case name == "":
		return invalidValue("The message attribute name must not be empty.")
	case len(name) > 256:
		return invalidValue("Length of message attribute name must be less than 256 bytes.")
	case name[0] == '.':
		return invalidValue("Invalid message attribute name starting with character '.' was found.")
	case name[len(name)-1] == '.':
		return invalidValue("Invalid message attribute name ending with character '.' was found.")
	case strings.Contains(name, ".."):
		return invalidValue("Message attribute name can not have successive '.' character.")
	}
	for _, r := range name {
		if r != '.' && (r > '~' || !validName(string(r), 1)) {
			return invalidValue("Invalid non-alphanumeric character '#x%s' was found in the message attribute name. "+
				"Can only include alphanumeric characters, hyphens, underscores, or dots.", strings.ToUpper(strconv.FormatInt(int64(r), 16)))
		}
	}
	lower := strings.ToLower(name)
	if (strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.")) && !forMobile(name) {
		return invalidValue("The message attribute name '%s' begins with AWS. or Amazon., which are reserved.", name)
	}
	return nil
}

func readAttribute(name string, f *awsquery.Form) (a Attribute, err error) {
	kind, given := f.Lookup("DataType")
	if !given {
		return a, missing("messageAttributes." + name + ".member.dataType")
	}
	a.DataType = kind
	base, custom, hasCustom := strings.Cut(kind, ".")
	if base != "String" && base != "Number" && base != "Binary" || hasCustom && custom == "" || len(kind) > 256 || !validText(kind) {
		return a, invalidValue("The message attribute '%s' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String.", name)
	}
	field := "String"
	if base == "Binary" {
		field = "Binary"
	}
	value, given := f.Lookup(field + "Value")
	if !given {
		return a, invalidValue("The message attribute '%s' with type '%s' must use field '%s'.", name, kind, field)
	}
	if value == "" {
		return a, invalidValue("The message attribute '%s' must contain non-empty message attribute value for message attribute type '%s'.", name, kind)
	}
	if field == "String" {
		a.String = value
		if !deliverable(value) {
			return a, invalidValue("The message attribute '%s' has a character outside the allowed set.", name)
		}
		return a, nil
	}
	if a.Binary, err = base64.StdEncoding.DecodeString(value); err != nil {
		return a, fault(400, "MalformedInput", "The message attribute '%s' is not base64", name)
	}
	return a, nil
}
