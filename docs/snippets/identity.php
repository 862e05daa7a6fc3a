<?php
// PHP 8, without packages. Runs on your server: the secret never leaves it.

function identity_token(string $kid, string $secret, array $customer): string
{
    $part = fn (string $bytes): string => rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    $json = fn (array $value): string => $part(json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE));
    $claims = $customer + ['jti' => bin2hex(random_bytes(16)), 'exp' => time() + 300];
    $signed = $json(['alg' => 'HS256', 'typ' => 'JWT', 'kid' => $kid]) . '.' . $json($claims);
    return $signed . '.' . $part(hash_hmac('sha256', $signed, $secret, true));
}

// The customer of your shop's own session; `sub` is your id of it.
echo identity_token(
    getenv('DESK_KEY_ID'),
    getenv('DESK_KEY_SECRET'),
    ['sub' => 'customer-17', 'nickname' => 'Zoë "Mei" 王', 'email' => 'mei@example.com'],
), "\n";
