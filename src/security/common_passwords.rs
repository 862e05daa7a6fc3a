//! The passwords that are guessed first: those of at least eight characters that lead the published lists of leaked
//! passwords. No I/O.

/// One word after another, folded as login names are.
const COMMON: &str = "\
    00000000 01234567 0123456789 0987654321 10203040 11111111 11112222 11223344 1122334455 12121212 \
    123123123 123321123 12341234 12344321 123454321 12345678 123456789 1234567890 123456789a 123456789q \
    123456aa 123456ab 123456abc 123456qwerty 12345qwert 1234abcd 1234qwer 123abc123 123qwe123 123qweasd \
    123qweasdzxc 13131313 1314520520 147258369 159753456 1a2b3c4d 1q2w3e4r 1q2w3e4r5t 1q2w3e4r5t6y \
    1qaz2wsx 1qaz2wsx3edc 1qazxsw2 22222222 31415926 314159265 33333333 44444444 52013145 5201314520 \
    55555555 66666666 77777777 87654321 88888888 987654321 99999999 a12345678 a123456789 a1b2c3d4 \
    aa123456 aa12345678 abc12345 abc123456 abc123456789 abc123abc abcabcabc abcd1234 abcd12345 abcdefgh \
    abcdefghi access14 admin123 admin1234 admin12345 admin123456 admin@123 adminadmin administrator \
    administrator1 alipay123 arsenal1 asd12345 asd123456 asdf1234 asdfasdf asdfghjk asdfghjkl asshole1 \
    autumn123 barcelona baseball baseball1 basketball batman123 bitch123 blink182 butterfly changeme \
    changeme1 changeme123 charlie1 chelsea1 chocolate computer computer1 corvette cowboys1 customer1 \
    dearbook december default1 deskwire deskwire1 deskwire123 dragon123 elephant facebook facebook1 \
    february ferrari1 football football1 freedom1 friday13 fuckyou! fuckyou1 fuckyou123 fuckyou2 google12 \
    google123 guest123 guest1234 happy123 hello123 hello1234 hellohello helloworld ilovegod iloveyou \
    iloveyou! iloveyou1 iloveyou2 internet internet1 january1 jennifer jessica1 jordan23 juventus \
    killer123 lakers24 letmein! letmein1 letmein123 linkedin linkedin1 liverpool liverpool1 master123 \
    maverick mercedes merchant1 metallica michael1 michelle mima1234 mima12345 mimamima minecraft \
    monday123 monkey123 motherfucker mustang1 mynoob123 nihao123 nihaonihao nirvana1 november october1 \
    p@ssw0rd p@ssw0rd! p@ssw0rd1 p@ssword pa$$w0rd pa$$word pass1234 passpass passw0rd passw0rd! password \
    password! password1 password1! password12 password123 password1234 password2 password3 passwort \
    passwort1 pokemon1 pokemon123 porsche1 princess princess1 pussycat q1w2e3r4 q1w2e3r4t5 qazwsx123 \
    qazwsxedc qwe12345 qwe123456 qweasd123 qweasdzxc qwer1234 qwerasdf qwert123 qwert12345 qwerty12 \
    qwerty123 qwerty1234 qwerty12345 qwerty123456 qwertyui qwertyuiop realmadrid redskins root1234 \
    rootpass rootroot samsung1 samsung123 secret12 secret123 security security1 september service1 \
    shadow123 spiderman spring123 starwars steelers strawberry summer12 summer123 summer2024 summer2025 \
    summer2026 sunshine sunshine1 superman superman1 support1 support123 taobao123 test1234 test12345 \
    tester123 testing1 testing123 testtest toor1234 trustno1 trustnoone user1234 warcraft wasd1234 \
    wechat123 weixin123 welcome1 welcome1! welcome12 welcome123 welcome@123 whatever whatever1 winter123 \
    winter2024 winter2025 winter2026 woaini123 woaini1314 woaini520 woaini5201314 xiaoming123 yankees1 \
    zaq12wsx zaq1zaq1 zhangsan zhangwei zxc12345 zxcv1234 zxcvbnm, zxcvbnm1 zxcvbnm123";

/// Whether a password (folded like a login name) is one of them.
pub fn is_common(folded: &str) -> bool {
    COMMON.split_ascii_whitespace().any(|word| word == folded)
}
