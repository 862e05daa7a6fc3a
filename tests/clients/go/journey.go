// One conversation through the Go client that openapi-generator makes from the OpenAPI document.
// Usage: BASE=… NEWER_BASE=… PASSWORD=… go run .
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	deskwire "example.com/deskwire/client"
)

// client calls the server at base with the token, if there is one.
func client(base, token string) *deskwire.APIClient {
	settings := deskwire.NewConfiguration()
	settings.Servers = deskwire.ServerConfigurations{{URL: base}}
	if token != "" {
		settings.AddDefaultHeader("Authorization", "Bearer "+token)
	}
	return deskwire.NewAPIClient(settings)
}

func text(words string) deskwire.MessageContent {
	return deskwire.TextContentInputAsMessageContent(deskwire.NewTextContentInput(words))
}

func message(key, words string) deskwire.SendMessage {
	return *deskwire.NewSendMessage(key, text(words), deskwire.MESSAGEKIND_TEXT)
}

func must[T any](answer T, err error) T {
	if err != nil {
		if problem, ok := problemOf(err); ok {
			log.Fatalf("%s: %s", problem.Code, problem.Detail)
		}
		log.Fatal(err)
	}
	return answer
}

func check(holds bool, what ...any) {
	if !holds {
		log.Fatal(what...)
	}
}

// problemOf decodes the body of an answer that is not 2xx.
func problemOf(err error) (deskwire.Problem, bool) {
	var failed *deskwire.GenericOpenAPIError
	if !errors.As(err, &failed) {
		return deskwire.Problem{}, false
	}
	problem, ok := failed.Model().(deskwire.Problem)
	return problem, ok
}

func main() {
	background := context.Background()
	base, newer := os.Getenv("BASE"), os.Getenv("NEWER_BASE")
	nobody := client(base, "")
	login := deskwire.NewLogin("admin", os.Getenv("PASSWORD"), "demo")
	signedIn, _, err := nobody.AuthAPI.Login(background).Login(*login).Execute()
	staffToken := must(signedIn, err).AccessToken
	created, _, err := nobody.VisitorsAPI.CreateVisitor(background).CreateVisitor(*deskwire.NewCreateVisitor("demo")).Execute()
	visitorToken := must(created, err).AccessToken
	staff, visitor := client(base, staffToken), client(base, visitorToken)

	open := deskwire.NewOpenConversation()
	open.SetSubject("Order 1001")
	open.SetMessage(*deskwire.NewFirstMessage("m1", text("Where is my parcel?"), deskwire.MESSAGEKIND_TEXT))
	opened, _, err := visitor.ConversationsAPI.OpenConversation(background).OpenConversation(*open).Execute()
	check(must(opened, err).Created, "not created")
	id := opened.Conversation.Id

	send := func(by *deskwire.APIClient, key, words string) *deskwire.SentMessage {
		sent, _, err := by.MessagesAPI.SendMessage(background, id).SendMessage(message(key, words)).Execute()
		return must(sent, err)
	}
	sent, again := send(visitor, "m2", "It is urgent."), send(visitor, "m2", "It is urgent.")
	check(again.Duplicate && !sent.Duplicate && again.Seq == sent.Seq, "the same key is the same message")

	waiting, _, err := staff.ConversationsAPI.ListConversations(background).Status("open").Limit(200).Execute()
	found := false
	for _, one := range must(waiting, err).Data {
		found = found || one.Id == id
	}
	check(found, "the conversation does not wait")
	claimed, _, err := staff.ConversationsAPI.ClaimConversation(background, id).Execute()
	check(must(claimed, err).GetStatus() == "pending" && claimed.Agent.Get() != nil, "not claimed")
	send(staff, "a1", "明天送到。")

	var last int64
	for {
		page, _, err := visitor.MessagesAPI.ListEntries(background, id).AfterSeq(last).Limit(2).Execute()
		for _, entry := range must(page, err).Data {
			check(entry.Seq == last+1, "the log is dense")
			last = entry.Seq
		}
		if !page.More {
			break
		}
	}
	check(last > 2, "too few entries")

	_, _, err = visitor.ConversationsAPI.ClaimConversation(background, id).Execute()
	forbidden, ok := problemOf(err)
	check(ok && forbidden.Code == "forbidden" && forbidden.Status == 403, "no problem: ", err)
	open.SetSubject(strings.Repeat("x", 201))
	_, _, err = visitor.ConversationsAPI.OpenConversation(background).OpenConversation(*open).Execute()
	long, ok := problemOf(err)
	check(ok && long.Errors[0].Pointer == "/subject" && long.Errors[0].Code == "too_long", "no field error: ", err)

	reason := deskwire.NewCloseConversation()
	reason.SetReason(deskwire.GIVENCLOSEREASON_RESOLVED)
	ending := staff.ConversationsAPI.CloseConversation(background, id).CloseConversation(*reason)
	_, _, err = ending.IfMatch(`"1"`).Execute()
	outdated, ok := problemOf(err)
	check(ok && outdated.Code == "version_mismatch" && outdated.Status == 412, "no mismatch: ", err)
	closed, _, err := ending.IfMatch(fmt.Sprintf(`"%d"`, claimed.GetVersion())).Execute()
	check(must(closed, err).GetStatus() == "closed", "not closed")

	// A newer server says more than the document knew: nothing of it may make an answer unreadable.
	visitor = client(newer, visitorToken)
	page, _, err := visitor.MessagesAPI.ListEntries(background, id).AfterSeq(0).Execute()
	unknown := false
	for _, entry := range must(page, err).Data {
		unknown = unknown || entry.Kind == "unknown_kind"
	}
	check(unknown, "no entry of an unknown kind")
	conversation, _, err := visitor.ConversationsAPI.GetConversation(background, id).Execute()
	check(must(conversation, err).GetStatus() == "unknown_closed", "no unknown status")
	inbox, _, err := visitor.SyncAPI.ListInbox(background).Execute()
	check(len(must(inbox, err).Data) == 1, "no inbox row")
	all, _, err := client(newer, staffToken).ConversationsAPI.ListConversations(background).Execute()
	check(len(must(all, err).Data) > 0, "no conversation")
	me, _, err := visitor.AuthAPI.GetMe(background).Execute()
	check(must(me, err).Role == "unknown_customer", "no unknown role")
	_, _, err = visitor.ConversationsAPI.ClaimConversation(background, id).Execute()
	refusal, ok := problemOf(err)
	check(ok && refusal.Code == "unknown_forbidden", "no unknown code: ", err)
	fmt.Printf("go: %d entries read through the generated client; a newer server is understood\n", last)
}
