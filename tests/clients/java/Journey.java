// One conversation through the Java client that openapi-generator makes from the OpenAPI document.
// Usage: BASE=… NEWER_BASE=… PASSWORD=… java -cp … Journey

import deskwire.ApiClient;
import deskwire.ApiException;
import deskwire.api.AuthApi;
import deskwire.api.ConversationsApi;
import deskwire.api.MessagesApi;
import deskwire.api.SyncApi;
import deskwire.api.VisitorsApi;
import deskwire.model.*;

public final class Journey {
    private interface Call {
        Object run() throws ApiException;
    }

    private static ApiClient client(String base, String token) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(base);
        if (token != null) {
            client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        }
        return client;
    }

    private static MessageContent text(String words) {
        return new MessageContent(new TextContentInput().text(words));
    }

    private static SendMessage message(String key, String words) {
        return new SendMessage().clientMsgId(key).kind(MessageKind.TEXT).content(text(words));
    }

    /** The body of an answer that is not 2xx. */
    private static Problem refused(ApiClient client, Call call) throws Exception {
        try {
            call.run();
        } catch (ApiException error) {
            return client.getObjectMapper().readValue(error.getResponseBody(), Problem.class);
        }
        throw new AssertionError("the call was not refused");
    }

    private static void check(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String base = System.getenv("BASE");
        String newer = System.getenv("NEWER_BASE");
        ApiClient nobody = client(base, null);
        Login login = new Login().tenant("demo").name("admin").password(System.getenv("PASSWORD")).device("java");
        String staffToken = new AuthApi(nobody).login(login).getAccessToken();
        String visitorToken =
            new VisitorsApi(nobody).createVisitor(new CreateVisitor().tenant("demo")).getAccessToken();
        ApiClient staff = client(base, staffToken);
        ApiClient visitor = client(base, visitorToken);

        FirstMessage first =
            new FirstMessage().clientMsgId("m1").kind(MessageKind.TEXT).content(text("Where is my parcel?"));
        OpenedConversation opened = new ConversationsApi(visitor)
            .openConversation(new OpenConversation().subject("Order 1001").message(first));
        check(opened.getCreated(), opened);
        String id = opened.getConversation().getId();

        SentMessage sent = new MessagesApi(visitor).sendMessage(id, message("m2", "It is urgent."));
        SentMessage again = new MessagesApi(visitor).sendMessage(id, message("m2", "It is urgent."));
        check(again.getDuplicate() && !sent.getDuplicate() && again.getSeq().equals(sent.getSeq()), again);

        ConversationPage waiting =
            new ConversationsApi(staff).listConversations("open", null, null, null, null, null, null, 200, null);
        check(waiting.getData().stream().anyMatch(one -> one.getId().equals(id)), waiting);
        Conversation claimed = new ConversationsApi(staff).claimConversation(id, null);
        check("pending".equals(claimed.getStatus()) && claimed.getAgent() != null, claimed);
        new MessagesApi(staff).sendMessage(id, message("a1", "明天送到。"));

        long last = 0;
        LogPage page;
        do {
            page = new MessagesApi(visitor).listEntries(id, last, null, 2);
            for (Entry entry : page.getData()) {
                check(entry.getSeq() == last + 1, "the log is dense");
                last = entry.getSeq();
            }
        } while (page.getMore());
        check(last > 2, "too few entries");

        ApiClient asking = visitor;
        Problem forbidden = refused(asking, () -> new ConversationsApi(asking).claimConversation(id, null));
        check(forbidden.getStatus() == 403 && forbidden.getCode().equals("forbidden"), forbidden);
        OpenConversation wrong = new OpenConversation().subject("x".repeat(201));
        FieldError fault =
            refused(asking, () -> new ConversationsApi(asking).openConversation(wrong)).getErrors().get(0);
        check(fault.getPointer().equals("/subject") && fault.getCode().equals("too_long"), fault);

        CloseConversation reason = new CloseConversation().reason(GivenCloseReason.RESOLVED);
        Problem outdated =
            refused(staff, () -> new ConversationsApi(staff).closeConversation(id, reason, "\"1\""));
        check(outdated.getStatus() == 412 && outdated.getCode().equals("version_mismatch"), outdated);
        String present = "\"" + claimed.getVersion() + "\"";
        Conversation closed = new ConversationsApi(staff).closeConversation(id, reason, present);
        check("closed".equals(closed.getStatus()), closed);

        // A newer server says more than the document knew: nothing of it may make an answer unreadable.
        ApiClient later = client(newer, visitorToken);
        page = new MessagesApi(later).listEntries(id, 0L, null, null);
        check(page.getData().stream().anyMatch(entry -> entry.getKind().equals("unknown_kind")), page);
        check("unknown_closed".equals(new ConversationsApi(later).getConversation(id).getStatus()), "status");
        check(new SyncApi(later).listInbox(null, null).getData().size() == 1, "inbox");
        ConversationPage all = new ConversationsApi(client(newer, staffToken))
            .listConversations(null, null, null, null, null, null, null, null, null);
        check(!all.getData().isEmpty(), all);
        check(new AuthApi(later).getMe().getRole().equals("unknown_customer"), "role");
        Problem refusal = refused(later, () -> new ConversationsApi(later).claimConversation(id, null));
        check(refusal.getCode().equals("unknown_forbidden"), refusal);
        System.out.println("java: " + last + " entries read through the generated client; a newer server is understood");
    }
}
