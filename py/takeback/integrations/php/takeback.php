<?php

/**
 * Checks uploads against a list of pictures that must not be shared: by a running sidecar (`takeback gate serve`), which
 * gets the file, or by a look-up service, which gets fingerprints that are computed here and never a file.
 *
 * Copy this file. It needs PHP 8.1 with curl, and for a look-up service GD; Imagick, if it is there, reads TIFF, HEIC and
 * JPEG XL. README.md beside it is the guide.
 */

declare(strict_types=1);

/** An upload could not be checked: its file cannot be read, or as the subclass says. */
class TakebackError extends RuntimeException
{
}

/** A setting or an argument cannot be used; the text says which one, and what to do. */
final class TakebackSettingsError extends TakebackError
{
}

/** The sidecar does not accept the token, or the look-up service the key. */
final class TakebackKeyRefused extends TakebackError
{
}

/** Nothing answers, or it takes no more questions for now. `check` turns it into a decision; `feedback` throws it. */
final class TakebackAway extends TakebackError
{
    /** `problem` is the service's code for the reason, such as `quota` or `too-alike`. */
    public function __construct(string $text, public readonly string $problem = '')
    {
        parent::__construct($text);
    }
}

/**
 * What to do with an upload. `review` means that a person looks at it before anybody else does.
 *
 * `id` and `entries` are for feedback; `id` is empty if nothing was asked. If `isChecked` is false, the list could not be
 * asked: check the upload again later. `notes` are for moderators, not for the uploader.
 */
final class TakebackDecision
{
    /**
     * @param 'allow'|'review'|'block' $action
     * @param list<string> $notes
     * @param list<string> $entries
     */
    public function __construct(
        public string $action,
        public string $id = '',
        public bool $isChecked = true,
        public array $notes = [],
        public array $entries = [],
    ) {
    }

    /** Returns the stronger of two actions. */
    public static function stronger(string $one, string $other): string
    {
        $order = ['allow' => 0, 'review' => 1, 'block' => 2];
        return $order[$one] >= $order[$other] ? $one : $other;
    }
}

/** Asks about uploads. Open it once in a request; it keeps its connection. */
final class TakebackGate
{
    private const DEFAULTS = [
        'sidecar' => '', 'token' => '', 'lookup' => '', 'key' => '',
        'when_away' => 'hold', 'unreadable' => 'review', 'timeout' => null,
    ];
    /** A video may take the sidecar a minute of processor time, and wait for others. */
    private const SIDECAR_SECONDS = 120.0;
    /** Longer than the service holds back an answer. */
    private const LOOKUP_SECONDS = 20.0;
    private const CONNECT_SECONDS = 5.0;
    private const MAX_ANSWER_BYTES = 8 << 20;
    private const VERDICTS = ['blocked', 'not_blocked', 'pending_review'];
    private const PREFIX_DIGITS = 5;

    private readonly bool $isSidecar;
    private readonly string $address;
    private readonly string $secret;
    private readonly string $whenAway;
    private readonly string $unreadable;
    private readonly float $seconds;
    private readonly CurlHandle $http;

    /**
     * Returns a gate. Settings: `sidecar` (address) and `token`, or `lookup` (address) and `key`; `when_away`, `hold`
     * (default) or `allow`, for when nothing answers; `unreadable`, `review` (default) or `allow`, for pictures that cannot
     * be read and, with `lookup`, videos; `timeout` in seconds. Throws `TakebackSettingsError`.
     *
     * @param array<string, mixed> $settings
     */
    public static function open(array $settings): self
    {
        return new self($settings);
    }

    /** Returns a gate by TAKEBACK_SIDECAR and TAKEBACK_GATE_TOKEN, or TAKEBACK_LOOKUP and TAKEBACK_LOOKUP_KEY. */
    public static function fromEnvironment(): self
    {
        return new self([
            'sidecar' => (string) getenv('TAKEBACK_SIDECAR'),
            'token' => (string) getenv('TAKEBACK_GATE_TOKEN'),
            'lookup' => (string) getenv('TAKEBACK_LOOKUP'),
            'key' => (string) getenv('TAKEBACK_LOOKUP_KEY'),
        ]);
    }

    /** @param array<string, mixed> $given */
    private function __construct(array $given)
    {
        if ($unknown = array_diff_key($given, self::DEFAULTS)) {
            throw new TakebackSettingsError('there is no setting ' . implode(', ', array_keys($unknown)));
        }
        $settings = [...self::DEFAULTS, ...$given];
        foreach (['sidecar', 'token', 'lookup', 'key', 'when_away', 'unreadable'] as $name) {
            is_string($settings[$name]) || throw new TakebackSettingsError("$name must be a text");
        }
        if (($settings['sidecar'] === '') === ($settings['lookup'] === '')) {
            throw new TakebackSettingsError('give the address of a sidecar, or that of a look-up service, and not both');
        }
        $this->isSidecar = $settings['sidecar'] !== '';
        $this->address = self::address($settings[$this->isSidecar ? 'sidecar' : 'lookup'], $this->isSidecar);
        $this->secret = $settings[$this->isSidecar ? 'token' : 'key'];
        $this->whenAway = self::oneOf('when_away', $settings['when_away'], ['hold', 'allow']);
        $this->unreadable = self::oneOf('unreadable', $settings['unreadable'], ['review', 'allow']);
        $seconds = $settings['timeout'] ?? ($this->isSidecar ? self::SIDECAR_SECONDS : self::LOOKUP_SECONDS);
        if (!is_numeric($seconds) || $seconds < 1 || $seconds > 600) {
            throw new TakebackSettingsError('timeout must be a number of seconds from 1 to 600');
        }
        $this->seconds = (float) $seconds;
        $this->checkNeeds();
        $this->http = curl_init();
    }

    /** Throws `TakebackSettingsError` if the secret is malformed or an extension is missing. */
    private function checkNeeds(): void
    {
        if ($this->isSidecar && preg_match('/^[!-~]*\z/', $this->secret) !== 1) {
            throw new TakebackSettingsError('the token must be printable ASCII without spaces');
        }
        if (!$this->isSidecar && preg_match('/^tbl_[0-9a-f]{16}_[0-9a-f]{64}\z/', $this->secret) !== 1) {
            throw new TakebackSettingsError("the site's key is malformed: expected tbl_, 16 hex digits, _, 64 hex digits");
        }
        foreach ($this->isSidecar ? ['curl'] : ['curl', 'gd'] as $extension) {
            if (!extension_loaded($extension)) {
                throw new TakebackSettingsError("install the PHP extension $extension (Debian: php-$extension)");
            }
        }
    }

    /** @param list<string> $allowed */
    private static function oneOf(string $name, string $value, array $allowed): string
    {
        if (!in_array($value, $allowed, true)) {
            throw new TakebackSettingsError("$name must be one of " . implode(', ', $allowed));
        }
        return $value;
    }

    /** Returns the address without a slash at its end. Plain HTTP is for this machine; for a sidecar, also its network. */
    private static function address(string $address, bool $isSidecar): string
    {
        $owner = $isSidecar ? 'the sidecar' : 'the look-up service';
        $parts = preg_match('/^[!#-\[\]-~]+\z/', $address) === 1 ? parse_url($address) : false;
        if (!$parts || !in_array($parts['scheme'] ?? '', ['http', 'https'], true) || ($parts['host'] ?? '') === '') {
            throw new TakebackSettingsError("$owner's address is malformed: expected https://HOST[:PORT]");
        }
        if (array_intersect_key($parts, ['user' => 1, 'pass' => 1, 'query' => 1, 'fragment' => 1])) {
            throw new TakebackSettingsError("$owner's address must not have a user, password, query or fragment");
        }
        if ($parts['scheme'] === 'http' && !self::isNear($parts['host'], $isSidecar)) {
            throw new TakebackSettingsError("$owner's address must start with https://, or uploads could be read in transit");
        }
        return rtrim($address, '/');
    }

    /** Returns whether a host is this machine or, if `$orPrivate`, has a private address or a name without a dot. */
    private static function isNear(string $host, bool $orPrivate): bool
    {
        $host = trim($host, '[]');
        if (filter_var($host, FILTER_VALIDATE_IP) === false) {
            return $host === 'localhost' || ($orPrivate && !str_contains($host, '.'));
        }
        $isPublic = filter_var($host, FILTER_VALIDATE_IP, FILTER_FLAG_NO_PRIV_RANGE) !== false;
        return str_starts_with($host, '127.') || $host === '::1' || ($orPrivate && !$isPublic);
    }

    /**
     * Decides on the file at `$path`. `$mediaType` is what the browser called it; `$uploader` is any name that the site has
     * for the uploading person, of which only a hash is sent. Throws `TakebackKeyRefused`, and `TakebackError` if the file
     * cannot be read.
     */
    public function check(string $path, string $mediaType = '', string $uploader = ''): TakebackDecision
    {
        // No stream wrapper: a path such as http://... or phar://... would have this server fetch or unpack something.
        if (preg_match('~^[a-z][a-z0-9+.-]*://~i', $path) === 1 || !is_file($path) || !is_readable($path)) {
            throw new TakebackError('the upload is not a file that can be read');
        }
        if (filesize($path) === 0) {
            return new TakebackDecision('allow', notes: ['the file is empty']);
        }
        return $this->isSidecar ? $this->askSidecar($path, $mediaType, $uploader) : $this->lookUp($path, $mediaType, $uploader);
    }

    /**
     * Sends feedback on a decision: `blocked`, `not_blocked` or `pending_review`; `$confirmed` says that a moderator has
     * looked at the upload. Does nothing if nothing matched or was asked. Throws `TakebackAway` if it is to be sent again
     * later, `TakebackKeyRefused`, and `TakebackError` if it is refused.
     */
    public function feedback(TakebackDecision $of, string $verdict, bool $confirmed = false): void
    {
        self::oneOf('the verdict', $verdict, self::VERDICTS);
        if ($of->id === '' || ($this->isSidecar && !$of->entries)) {
            return;
        }
        $message = ['id' => $of->id, 'verdict' => $verdict, 'confirmed' => $confirmed];
        if ($this->isSidecar) {
            $message['entries'] = $of->entries;
        }
        [$status, $answer] = $this->send('/v1/feedback', $message);
        if ($status >= 300) {
            throw new TakebackError('the feedback was refused: ' . self::text($answer, $status));
        }
    }

    /** Returns '' if uploads can be checked, or why not, for a settings page: whether it answers, and accepts the key. */
    public function isReady(): string
    {
        try {
            [$status, $answer] = $this->request('/readyz');
            if ($status !== 200) {
                return self::text($answer, $status);
            }
            // A sidecar refuses strangers before it refuses a request without a file.
            $this->isSidecar ? $this->request('/v1/check', ['Content-Length: 0'], '') : $this->exact(str_repeat('0', 64));
            return '';
        } catch (TakebackError $error) {
            return $error->getMessage();
        }
    }

    private function askSidecar(string $path, string $mediaType, string $uploader): TakebackDecision
    {
        $type = strtolower(trim(explode(';', $mediaType)[0]));
        // A form's type would have the sidecar look for a form in the file.
        $isHarmless = preg_match('~^[a-z]+/[a-z0-9.+-]+\z~', $type) === 1 && !str_starts_with($type, 'multipart/');
        $headers = ['Content-Type: ' . ($isHarmless ? $type : 'application/octet-stream')];
        if ($uploader !== '') {
            $headers[] = 'Takeback-Uploader: ' . hash('sha256', $uploader);
        }
        try {
            [$status, $answer] = $this->request('/v1/check', $headers, file: $path);
        } catch (TakebackAway $error) {
            return $this->unchecked(new TakebackDecision('allow'), $error);
        }
        if ($status >= 300) { // too large, for example: an upload must not pass because of its size
            return new TakebackDecision($this->unreadable, notes: ['the sidecar refused the file: ' . self::text($answer, $status)]);
        }
        return self::decisionOf($answer) ?? $this->unchecked(new TakebackDecision('allow'), self::garbled());
    }

    /** @param array<mixed> $answer */
    private static function decisionOf(array $answer): ?TakebackDecision
    {
        $id = $answer['id'] ?? null;
        $matches = $answer['matches'] ?? null;
        if (!self::isAction($answer['decision'] ?? null) || !is_string($id) || !is_array($matches)) {
            return null;
        }
        $notes = [$answer['explanation'] ?? '', ...(array) ($answer['notes'] ?? [])];
        $texts = static fn (array $values): array => array_values(array_unique(array_filter($values, static fn ($value) => is_string($value) && $value !== '')));
        return new TakebackDecision($answer['decision'], $id, true, $texts($notes), $texts(array_column($matches, 'entry')));
    }

    private static function isAction(mixed $value): bool
    {
        return in_array($value, ['allow', 'review', 'block'], true);
    }

    private static function garbled(): TakebackAway
    {
        return new TakebackAway('the answer cannot be read; check the address in the settings');
    }

    /** Returns the decision on what could not be asked about. Questions that are too alike are held in any case, or whoever causes that could get a picture past. */
    private function unchecked(TakebackDecision $start, TakebackAway $error): TakebackDecision
    {
        $least = $error->problem === 'too-alike' || $this->whenAway === 'hold' ? 'review' : 'allow';
        $notes = [...$start->notes, 'not checked: ' . $error->getMessage()];
        return new TakebackDecision(TakebackDecision::stronger($start->action, $least), '', false, $notes);
    }

    /** Asks a look-up service: five digits of the SHA-256 first, and the fingerprints only if that is not listed. */
    private function lookUp(string $path, string $mediaType, string $uploader): TakebackDecision
    {
        $read = TakebackPicture::read($path, $mediaType);
        $isUnsure = in_array($read['kind'], ['video', 'unreadable'], true);
        $start = new TakebackDecision($isUnsure ? $this->unreadable : 'allow', notes: $read['notes']);
        if ($read['kind'] === 'not_media') {
            return $start;
        }
        try {
            $found = $this->exact((string) hash_file('sha256', $path)) ?? ($read['pdq'] ? $this->asked($read['pdq'], $uploader) : null);
        } catch (TakebackAway $error) {
            return $this->unchecked($start, $error);
        }
        return $found === null
            ? $start
            : new TakebackDecision(TakebackDecision::stronger($start->action, $found['decision']), $found['id'], true, $start->notes);
    }

    /**
     * Asks for the suffixes of a prefix, and compares here.
     *
     * @return array{decision: string, id: string}|null
     */
    private function exact(string $sha256): ?array
    {
        [$status, $answer] = $this->request('/v1/sha256/' . substr($sha256, 0, self::PREFIX_DIGITS));
        if ($status >= 300 || !is_array($answer['suffixes'] ?? null)) {
            throw $status >= 300 ? new TakebackAway(self::text($answer, $status)) : self::garbled();
        }
        $found = null;
        foreach ($answer['suffixes'] as $one) {
            $one = self::answerOf($one);
            if (hash_equals(substr($sha256, self::PREFIX_DIGITS), (string) ($one['suffix'] ?? ''))) {
                $found ??= $one;
            }
        }
        return $found;
    }

    /**
     * Asks about fingerprints.
     *
     * @param array{hash: string, quality: int, dihedral: array<string, string>} $pdq
     * @return array{decision: string, id: string}
     */
    private function asked(array $pdq, string $uploader): array
    {
        $question = [
            'signals' => [['type' => 'pdq', 'value' => $pdq['hash'], 'quality' => $pdq['quality']]],
            'dihedral' => $pdq['dihedral'],
        ];
        if ($uploader !== '') {
            // The key is the site's, so that two sites send different hashes of one name.
            $question['uploader'] = substr(hash_hmac('sha256', $uploader, "takeback uploaders\0" . $this->secret), 0, 16);
        }
        [$status, $answer] = $this->send('/v1/check/signals', $question);
        if ($status >= 300) {
            throw new TakebackAway('the look-up service refused the question: ' . self::text($answer, $status));
        }
        return self::answerOf($answer);
    }

    /** @return array{decision: string, id: string} */
    private static function answerOf(mixed $one): array
    {
        if (!is_array($one) || !self::isAction($one['decision'] ?? null) || preg_match('/^[A-Za-z0-9_=-]{0,512}\z/', (string) ($one['id'] ?? '?')) !== 1) {
            throw self::garbled();
        }
        return $one;
    }

    /**
     * Sends a message.
     *
     * @param array<string, mixed> $message
     * @return array{int, array<mixed>}
     */
    private function send(string $path, array $message): array
    {
        return $this->request($path, ['Content-Type: application/json'], json_encode($message, JSON_THROW_ON_ERROR));
    }

    /**
     * Sends a request and returns status and answer: below 300, or a refusal of what was sent. Throws `TakebackKeyRefused`,
     * and `TakebackAway` for everything else.
     *
     * @param list<string> $headers
     * @return array{int, array<mixed>}
     */
    private function request(string $path, array $headers = [], ?string $body = null, string $file = ''): array
    {
        if ($this->secret !== '') {
            $headers[] = "Authorization: Bearer $this->secret";
        }
        $data = '';
        $stream = $file === '' ? null : fopen($file, 'rb');
        $sent = match (true) {
            $stream !== null => [CURLOPT_UPLOAD => true, CURLOPT_CUSTOMREQUEST => 'POST', CURLOPT_INFILE => $stream, CURLOPT_INFILESIZE => fstat($stream)['size']],
            $body !== null => [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $body],
            default => [],
        };
        if (self::isNear((string) parse_url($this->address, PHP_URL_HOST), $this->isSidecar)) {
            $sent[CURLOPT_NOPROXY] = '*';
        }
        curl_reset($this->http);
        curl_setopt_array($this->http, $sent + [
            CURLOPT_URL => $this->address . $path,
            CURLOPT_HTTPHEADER => [...$headers, 'Expect:'],
            CURLOPT_USERAGENT => 'takeback',
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_NOSIGNAL => true,
            CURLOPT_TIMEOUT_MS => (int) ($this->seconds * 1000),
            CURLOPT_CONNECTTIMEOUT_MS => (int) (min($this->seconds, self::CONNECT_SECONDS) * 1000),
            CURLOPT_WRITEFUNCTION => static function (CurlHandle $_, string $part) use (&$data): int {
                $data .= $part;
                return strlen($data) <= self::MAX_ANSWER_BYTES ? strlen($part) : 0;
            },
        ]);
        $isDone = curl_exec($this->http);
        if ($stream !== null) {
            fclose($stream);
        }
        if ($isDone === false) {
            throw new TakebackAway('no answer: ' . (curl_error($this->http) ?: 'the connection was lost'));
        }
        return $this->understood((int) curl_getinfo($this->http, CURLINFO_RESPONSE_CODE), $data);
    }

    /**
     * Returns status and answer, or throws as `request` does.
     *
     * @return array{int, array<mixed>}
     */
    private function understood(int $status, string $data): array
    {
        $answer = json_decode($data, true, 32);
        if ($status === 401 || $status === 403) {
            throw new TakebackKeyRefused($this->isSidecar ? 'the sidecar does not accept the token' : 'the look-up service does not accept the key');
        }
        if ($status >= 200 && $status < 300) {
            return [$status, is_array($answer) ? $answer : throw self::garbled()];
        }
        $answer = is_array($answer) ? $answer : [];
        if (in_array($status, [400, 413, 422, 431], true)) {
            return [$status, $answer];
        }
        $kind = is_string($answer['type'] ?? null) ? $answer['type'] : '';
        throw new TakebackAway(self::text($answer, $status), substr((string) strrchr($kind, ':'), 1));
    }

    /**
     * Returns what an answer says about its refusal.
     *
     * @param array<mixed> $answer
     */
    private static function text(array $answer, int $status): string
    {
        $text = $answer['detail'] ?? $answer['title'] ?? '';
        return is_string($text) && $text !== '' ? substr($text, 0, 300) : "it answered with status $status";
    }
}

/** Reads pictures and computes their fingerprints. */
final class TakebackPicture
{
    /**
     * Returns what a file is (`picture`, `video`, `unreadable`, `not_media`), notes about it, and the PDQ of a picture.
     *
     * @return array{kind: string, notes: list<string>, pdq: array{hash: string, quality: int, dihedral: array<string, string>}|null}
     */
    public static function read(string $path, string $mediaType = ''): array
    {
        return ['kind' => 'unreadable', 'notes' => ['not implemented yet'], 'pdq' => null];
    }
}
