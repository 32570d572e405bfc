/**
 * Password hashes made by the systems themselves, each with its password. Published vectors, and output of the
 * named versions; none of them comes from this project's code.
 */

const P = 'lètmein';
/** Firebase's example in the README of github.com/firebase/scrypt. */
export const FIREBASE_KEY =
  'jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==';
export const FIREBASE_END =
  '$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==';
export const FIREBASE = `$firebase-scrypt$r=8,m=14,sep=Bw==,key=${FIREBASE_KEY}${FIREBASE_END}`;
/** The credential that Keycloak 26 stored for the password "secret", as `kc.sh export` writes it. */
const KEYCLOAK_ARGON2 = {
  type: 'password',
  secretData:
    '{"value":"xKjWvB9+0sSP6wTqI1JoEI7w+iA0x9VDhPgmrOHRG80=","salt":"LRScGShC7shkdoU5B1UgUQ==","additionalParameters":{}}',
  credentialData:
    '{"hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}',
};
/** The credential of `user1` with the password "password" in a published realm of solo.io's workshops. */
export const KEYCLOAK_SECRET = {
  value: 'JsfNbCOIdZUbyBJ+BT+VoGI91Ec2rWLOvkLPDaX8e9k=',
  salt: 'P5rtFkGtPfoaryJ6PizUJw==',
};
export const KEYCLOAK_DATA = { hashIterations: 27_500, algorithm: 'pbkdf2-sha256' };

export interface KnownHash {
  readonly source: string;
  readonly password: string;
  /** The hash as the system exports it: text or a JSON object. */
  readonly exported: unknown;
}

/** Pairs of a password and its exported hash, by source. */
const KNOWN: Readonly<Record<string, readonly (readonly [password: string, exported: unknown])[]>> = {
  'Django 5.2.17, with fewer iterations except for the last': [
    [P, 'pbkdf2_sha256$20000$GpnQEYJ8RBsay07LqTzObu$M493HEWKEQNlxCalTKoj9djiFdAdr34NsU4DMLCGOaQ='],
    [P, 'pbkdf2_sha1$20000$So4UOUkjNqK8NnRKBNMNjG$w1X+btIhYcdkkE0GFDVl2wM2t7E='],
    [
      P,
      'argon2$argon2id$v=19$m=102400,t=2,p=8$MHI1Vms4aEZmd1BNcWd4SVZnemZRMA$wABGENnqxccVWQj2eE3b6CXBhMBdGqqCzxVhpLqhc+c',
    ],
    [P, 'bcrypt$$2b$05$h6gxXhg1nOOBrIUz0z9eSucnxC6UddcRElo/pPWihSBLOAqaejPFO'],
    [P, 'bcrypt_sha256$$2b$05$QUyhpZQKdFYue1ME2HLxTufKlPuVkgz7mHJWSQm6UEMqLJRJOFZCe'],
    [
      P,
      'scrypt$16384$QPEHW6pVyfvBnTSNFPMVmu$8$5$DhU/8uFBBHo/mPNhM7zk/6hXFDZBemM2U6yTt8BB27j1fktSUXLXpJmDhBUYKwCpT79fQ2RbtI47Dpq291UXKw==',
    ],
    [P, 'pbkdf2_sha256$1000000$seasalt2$egbhFghgsJVDo5Tpg/k9ZnfbySKQ1UQnBYXhR97a7sk='],
  ],
  'Keycloak 26': [
    ['secret', KEYCLOAK_ARGON2],
    ['secret', JSON.stringify(KEYCLOAK_ARGON2)],
  ],
  'a published Keycloak realm, as Keycloak exports it and with its fields beside each other': [
    [
      'password',
      { secretData: JSON.stringify(KEYCLOAK_SECRET), credentialData: JSON.stringify(KEYCLOAK_DATA) },
    ],
    ['password', { secretData: KEYCLOAK_SECRET, credentialData: KEYCLOAK_DATA }],
    ['password', { ...KEYCLOAK_SECRET, ...KEYCLOAK_DATA }],
    ['password', { ...KEYCLOAK_SECRET, algorithm: 'pbkdf2-sha256', iterations: 27_500 }],
  ],
  'PasswordHasherTest of ASP.NET Core Identity': [
    ['my password', 'AAABAgMEBQYHCAkKCwwNDg+ukCEMDf0yyQ29NYubggHIVY0sdEUfdyeM+E1LtH1uJg=='],
    ['my password', 'AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M'],
    ['my password', 'AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw'],
    [
      'my password',
      'AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==',
    ],
    [
      'my password',
      'AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=',
    ],
    ['my password', 'AQAAAAEAACcQAAAAEAABAgMEBQYHCAkKCwwNDg+yWU7rLgUwPZb1Itsmra7cbxw2EFpwpVFIEtP+JIuUEw=='],
  ],
  'the reference documentation of Spring Security': [
    ['password', '{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG'],
    ['password', '{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc'],
    [
      'password',
      '{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw==$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=',
    ],
  ],
  'the LDAP hashes of passlib 1.7.4': [
    [
      P,
      '{CRYPT}$6$OFd9dmlStyAv7O3S$gNGEN4T6GghIZzwaWWs4gWZNjeDYqE062DnlNFbPm9boR4Biu.YN7eznKITmxI0g7Z3Wh6GDdVSiNKrEEe3Vd1',
    ],
    [P, '{PBKDF2}1000$V.odA6CUUkppDSHEmFPqXQ$3twOMOM9mPxtUDefjXYk7cKF8R0'],
    [P, '{PBKDF2-SHA256}1000$ozRGyBkDIGTs3btXinGOcQ$58nL/u2qXnDCAACbvBlORju8JxMtovsj43VSUCWPj7Q'],
    [
      P,
      '{PBKDF2-SHA512}1000$m5OytrbW2psTQsh5D2EMQQ$.ZsEnOY4tVwB35OaGuhBlmf/dLMEwtabWUWfIHEMA0vRTFLo5qFeXJZnAkf9LsSQqj1trioZUrXVzeX8f9tnXg',
    ],
    [P, '{CRYPT}$2y$05$EQyCZWwxxE2QnaWxZmH6E.WGXM8gtzU57Jmkv0hg74sRJ0e6w47/e'],
  ],
  'Werkzeug 3.1.9': [
    [
      P,
      'scrypt:32768:8:1$PT3aFaXbrXXnDUIP$044f1541d12d3c96c6665bdc7871920c985d3336cef03070345209aa32cfab202b4983773df82a18482b1b1c5a1b5f6578189e73918a3aa37070d3b19779c632',
    ],
    [
      P,
      'pbkdf2:sha256:20000$BWl7PD0O8McSBYmQ$8f9ee0865c2a24c678853093b314a996c561ffd6135c543d63f7b0b9f305faaf',
    ],
    [
      P,
      'pbkdf2:sha512:20000$EnIOIrgeHJEpGbsz$30e3a7a23ea6f04ac58c8ab9df942d59262517791555554c19a30784f1063becb86d8ccd750cd18b529145e12349c16007a7648998f382fedefd5fd919f3d24d',
    ],
    [P, 'pbkdf2:sha1:20000$IPTE4ObZks1jnIKR$381f3c94626b2bebe6fa54db42c241fa4683a642'],
  ],
  'test.php of phpass 0.3, and John the Ripper’s tests as passlib 1.7.4 has them': [
    ['test12345', '$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0'],
    ['test1', '$H$9aaaaaSXBjgypwqm.JsMssPLiS8YQ00'],
    ['123456', '$H$9PE8jEklgZhgLmZl5.HYJAzfGCQtzi1'],
    ['JohnRipper', '$P$B12345678L6Lpt4BxNotVIMILOa9u81'],
    [P, '$P$B.ECL21UxU7cMphE/7ka.OLqoaNAiD/'],
  ],
  'the two lines of WordPress 6.8’s wp_hash_password, run by PHP 8.2': [
    [P, '$wp$2y$05$6OA7ylO8kHT9rM6gMRMHQOdL61JlHvJactj3dtxHH7Mfhv2sdz1Y6'],
    [' padded\t', '$wp$2y$05$RRF.CGHlk8kQxFMxPP8ADeVK2JAPYLJkm2SM8gZxgh5BWZqTSPOr.'],
    ['padded', '$wp$2y$05$RRF.CGHlk8kQxFMxPP8ADeVK2JAPYLJkm2SM8gZxgh5BWZqTSPOr.'],
  ],
  'Drepper’s specification of SHA-crypt': [
    ['Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    ['Hello world!', '$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA'],
    ['This is just a test', '$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5'],
    [
      'a very much longer text to encrypt.  This one even stretches over morethan one line.',
      '$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1',
    ],
    [
      'we have a short salt string but not a short password',
      '$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/',
    ],
    ['a short string', '$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD'],
    [
      'the minimum number is still observed',
      '$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC',
    ],
    [
      'Hello world!',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    [
      'Hello world!',
      '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
    ],
    [
      'we have a short salt string but not a short password',
      '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
    ],
  ],
  'openssl passwd, and crypt() of PHP 8.2': [
    [
      P,
      '$6$0123456789abcdef$D/3v.Ux1xo.jnHfXBQeZ75i9LLadOWf4UvIfwQfU8eaCOu5cpJets3dtJslZMG9n5xySt9H76mz9HTy4bA/IT/',
    ],
    [P, '$5$01234567$cBaNWSo.YfVye7Svy4krIrtxZ7JwZMCyiBg.QN3FLM1'],
    [P, '$5$rounds=1000$abcd$dcLO5nE7Xo48nnNzA8s4DBeMpYB4ybS6F03jxRQqLc1'],
  ],
  'pbkdf2_sha1 of passlib 1.7.4, and a sample of OneLogin’s documentation': [
    [P, '$pbkdf2$1000$JCREqPU.hxBCaA3BmFMKYQ$wI7IopdNbYvjO9JbLuFXXW4nRPQ'],
    ['Test@123', '$pbkdf2-sha1$i=10000,l=20$wJuJqLoUFsdXa8k3sFhRlA$XMGVWTbeKf4Xd+CGiuEZde8x7QA'],
  ],
  'the README of github.com/firebase/scrypt': [['user1password', FIREBASE]],
};
/** All of them, each with its source. */
export const knownHashes: readonly KnownHash[] = Object.entries(KNOWN).flatMap(([source, cases]) =>
  cases.map(([password, exported]) => ({ source, password, exported })),
);
