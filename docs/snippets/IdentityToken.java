// Java 17 or later, without packages. Runs on your server: the secret never leaves it.
// With a JSON library at hand let it write the two objects; this file needs none.
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public final class IdentityToken {
    static String sign(String kid, String secret, Map<String, Object> customer) throws GeneralSecurityException {
        Map<String, Object> claims = new LinkedHashMap<>(customer);
        claims.put("jti", UUID.randomUUID().toString());
        claims.put("exp", Instant.now().getEpochSecond() + 300);
        String signed = part(json(Map.of("alg", "HS256", "typ", "JWT", "kid", kid))) + "." + part(json(claims));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        return signed + "." + part(mac.doFinal(signed.getBytes(StandardCharsets.UTF_8)));
    }

    private static String part(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static byte[] json(Map<String, Object> fields) {
        return fields.entrySet().stream()
            .map(field -> quoted(field.getKey()) + ":" + value(field.getValue()))
            .collect(Collectors.joining(",", "{", "}"))
            .getBytes(StandardCharsets.UTF_8);
    }

    private static String value(Object value) {
        return value instanceof Number ? value.toString() : quoted(value.toString());
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter == '"' || letter == '\\') {
                out.append('\\').append(letter);
            } else if (letter < ' ') {
                out.append(String.format("\\u%04x", (int) letter));
            } else {
                out.append(letter);
            }
        }
        return out.append('"').toString();
    }

    public static void main(String[] arguments) throws GeneralSecurityException {
        // The customer of your shop's own session; `sub` is your id of it.
        Map<String, Object> customer = new LinkedHashMap<>();
        customer.put("sub", "customer-17");
        customer.put("nickname", "Zo\u00eb \"Mei\" \u738b");
        customer.put("email", "mei@example.com");
        System.out.println(sign(System.getenv("DESK_KEY_ID"), System.getenv("DESK_KEY_SECRET"), customer));
    }
}
