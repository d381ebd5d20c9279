// Verifies a webhook by the specification's own library for Go: the headers and the body come as one JSON
// object on standard input, the secret in it. Prints "genuine" or why not.
package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	var given struct {
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	webhook, err := standardwebhooks.NewWebhook(given.Secret)
	if err != nil {
		fmt.Println(err)
		os.Exit(2)
	}
	headers := http.Header{}
	for name, value := range given.Headers {
		headers.Set(name, value)
	}
	if err := webhook.Verify([]byte(given.Body), headers); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("genuine")
}
