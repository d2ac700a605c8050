<?php

/**
 * Checks uploads against a list of pictures that must not be shared: by a running sidecar (`takeback gate serve`),
 * which gets the file, or by a look-up service, which gets fingerprints that are computed here, and never a file.
 *
 * Copy this file. It needs PHP 8.1 with curl, and for a look-up service GD; Imagick, if it is there, reads TIFF, HEIC
 * and JPEG XL. README.md beside it is the guide.
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
 * `id` and `entries` are for feedback; `id` is empty if nothing was asked. If `isChecked` is false, the list could not
 * be asked: check the upload again later. `notes` are for moderators, not for the uploader.
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
     * (default) or `allow`, for when nothing answers; `unreadable`, `review` (default) or `allow`, for files that a
     * sidecar refuses as too large and, with `lookup`, pictures that cannot be read and videos; `timeout` in seconds.
     * Throws `TakebackSettingsError`.
     *
     * @param array<string, mixed> $settings
     */
    public static function open(#[SensitiveParameter] array $settings): self
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
    private function __construct(#[SensitiveParameter] array $given)
    {
        if ($unknown = array_diff_key($given, self::DEFAULTS)) {
            throw new TakebackSettingsError('there is no setting ' . implode(', ', array_keys($unknown)));
        }
        $settings = [...self::DEFAULTS, ...$given];
        foreach (['sidecar', 'token', 'lookup', 'key', 'when_away', 'unreadable'] as $name) {
            is_string($settings[$name]) || throw new TakebackSettingsError("$name must be a text");
        }
        if (($settings['sidecar'] === '') === ($settings['lookup'] === '')) {
            throw new TakebackSettingsError('give the address of a sidecar or that of a look-up service, and not both');
        }
        $this->isSidecar = $settings['sidecar'] !== '';
        $this->address = self::address($settings[$this->isSidecar ? 'sidecar' : 'lookup'], $this->isSidecar);
        $this->secret = $settings[$this->isSidecar ? 'token' : 'key'];
        $this->whenAway = self::oneOf('when_away', $settings['when_away'], ['hold', 'allow']);
        $this->unreadable = self::oneOf('unreadable', $settings['unreadable'], ['review', 'allow']);
        $seconds = $settings['timeout'] ?? ($this->isSidecar ? self::SIDECAR_SECONDS : self::LOOKUP_SECONDS);
        if (!is_numeric($seconds) || !($seconds >= 1 && $seconds <= 600)) {
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
            throw new TakebackSettingsError("the site's key is malformed: expected tbl_, 16 hex digits, _, 64 digits");
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

    /** Returns the address without a slash at its end. Plain HTTP must stay on this machine; a sidecar's, near it. */
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
            throw new TakebackSettingsError("$owner's address must start with https://: plain HTTP could be read");
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
     * Decides on the file at `$path`. `$mediaType` is what the browser called it; `$uploader` is any name that the site
     * has for the uploading person, of which only a hash is sent. Throws `TakebackKeyRefused`, and `TakebackError` if
     * the file cannot be read.
     */
    public function check(string $path, string $mediaType = '', string $uploader = ''): TakebackDecision
    {
        // No stream wrapper: a path such as http://... or phar://... would have this server fetch or unpack something.
        if (preg_match('~^[a-z][a-z0-9+.-]+://~i', $path) === 1 || !is_file($path) || !is_readable($path)) {
            throw new TakebackError('the upload is not a file that can be read');
        }
        clearstatcache(true, $path);
        if (filesize($path) === 0) {
            return new TakebackDecision('allow', notes: ['the file is empty']);
        }
        return $this->isSidecar
            ? $this->askSidecar($path, $mediaType, $uploader)
            : $this->lookUp($path, $mediaType, $uploader);
    }

    /**
     * Sends feedback on a decision: `blocked`, `not_blocked` or `pending_review`; `$confirmed` says that a moderator
     * has looked at the upload. Does nothing if nothing was asked or, at a sidecar, nothing matched. Throws
     * `TakebackAway` if it is to be sent again later, `TakebackKeyRefused`, and `TakebackError` if it is refused.
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

    /** Returns '' if uploads can be checked, or why not, for a settings page. Asks whether the key is accepted, too. */
    public function isReady(): string
    {
        try {
            [$status, $answer] = $this->request('/readyz');
            if ($status !== 200 || ($answer['status'] ?? '') !== 'ok') {
                return $status === 200 ? self::garbled()->getMessage() : self::text($answer, $status);
            }
            // A sidecar refuses strangers before it refuses a request without a file.
            $this->isSidecar ? $this->request('/v1/check', body: '') : $this->exact(str_repeat('0', 64));
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
            $note = 'the sidecar refused the file: ' . self::text($answer, $status);
            return new TakebackDecision($this->unreadable, notes: [$note]);
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
        $notes = self::texts([$answer['explanation'] ?? '', ...array_values((array) ($answer['notes'] ?? []))]);
        $entries = self::texts(array_column($matches, 'entry'));
        return new TakebackDecision($answer['decision'], $id, true, $notes, $entries);
    }

    /**
     * Returns the texts among some values, each once.
     *
     * @param array<mixed> $values
     * @return list<string>
     */
    private static function texts(array $values): array
    {
        $isText = static fn (mixed $value): bool => is_string($value) && $value !== '';
        return array_values(array_unique(array_filter($values, $isText)));
    }

    private static function isAction(mixed $value): bool
    {
        return in_array($value, ['allow', 'review', 'block'], true);
    }

    private static function garbled(): TakebackAway
    {
        return new TakebackAway('the answer cannot be read; check the address in the settings');
    }

    /** Returns the decision on what could not be asked about. */
    private function unchecked(TakebackDecision $start, TakebackAway $error): TakebackDecision
    {
        // Questions that are too alike are held in any case, or whoever causes that could get a picture past.
        $least = $error->problem === 'too-alike' || $this->whenAway === 'hold' ? 'review' : 'allow';
        $notes = [...$start->notes, 'not checked: ' . $error->getMessage()];
        return new TakebackDecision(TakebackDecision::stronger($start->action, $least), '', false, $notes);
    }

    /** Asks a look-up service: five digits of the SHA-256 first, and the fingerprints only if that is not listed. */
    private function lookUp(string $path, string $mediaType, string $uploader): TakebackDecision
    {
        $read = TakebackPicture::read($path, $mediaType);
        $isUnsure = in_array($read['kind'], ['animation', 'video', 'unreadable'], true);
        $start = new TakebackDecision($isUnsure ? $this->unreadable : 'allow', notes: $read['notes']);
        if ($read['kind'] === 'not_media') {
            return $start;
        }
        try {
            $found = $this->exact(hash_file('sha256', $path) ?: throw new TakebackError('the upload is gone'));
            if ($found === null && $read['signals']) {
                $found = $this->asked($read['signals'], $read['dihedral'], $uploader);
            }
        } catch (TakebackAway $error) {
            return $this->unchecked($start, $error);
        }
        if ($found === null) {
            return $start;
        }
        $action = TakebackDecision::stronger($start->action, $found['decision']);
        return new TakebackDecision($action, $found['id'], true, $start->notes);
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
        [$own, $found] = [substr($sha256, self::PREFIX_DIGITS), null];
        foreach ($answer['suffixes'] as $one) {
            $listed = self::answerOf($one);
            $suffix = is_string($one['suffix'] ?? null) ? $one['suffix'] : throw self::garbled();
            // In constant time, and to the end of the list, so that the time does not tell whether the file is on it.
            if (hash_equals($own, $suffix)) {
                $found ??= $listed;
            }
        }
        return $found;
    }

    /**
     * Asks about fingerprints.
     *
     * @param list<array<string, mixed>> $signals
     * @param array<string, string> $dihedral
     * @return array{decision: string, id: string}
     */
    private function asked(array $signals, array $dihedral, string $uploader): array
    {
        $question = ['signals' => $signals, 'dihedral' => $dihedral];
        if ($uploader !== '') {
            // The key is the site's, so that two sites send different hashes of one name.
            $name = hash_hmac('sha256', $uploader, "takeback uploaders\0$this->secret");
            $question['uploader'] = substr($name, 0, 16);
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
        [$decision, $id] = is_array($one) ? [$one['decision'] ?? null, $one['id'] ?? null] : [null, null];
        if (!self::isAction($decision) || !is_string($id) || preg_match('/^[A-Za-z0-9_=-]{1,512}\z/', $id) !== 1) {
            throw self::garbled();
        }
        return ['decision' => $decision, 'id' => $id];
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
     * Sends a request and returns status and answer: below 300, or a refusal of what was sent. Throws
     * `TakebackKeyRefused`, and `TakebackAway` for everything else.
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
        $stream = $file === '' ? null : (fopen($file, 'rb') ?: throw new TakebackError('the upload is gone'));
        $sent = $body === null ? [] : [CURLOPT_POST => true, CURLOPT_POSTFIELDS => $body];
        if ($stream) { // sent as it is read, so that it is never in memory as a whole
            $sent = [CURLOPT_UPLOAD => true, CURLOPT_INFILE => $stream, CURLOPT_INFILESIZE => fstat($stream)['size']];
            $sent[CURLOPT_CUSTOMREQUEST] = 'POST';
        }
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
        if ($stream) {
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
            $what = $this->isSidecar ? 'the sidecar does not accept the token' : 'the service does not accept the key';
            throw new TakebackKeyRefused("$what; correct it in the settings");
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

/** Reads pictures, and computes their fingerprints with GD. */
final class TakebackPicture
{
    /** Pixels of the largest picture that is decoded: those of the largest cameras of phones in their usual setting. */
    private const MAX_PIXELS = 50_000_000;
    /** Bytes of the largest file that is decoded. */
    private const MAX_BYTES = 64 << 20;
    /** Scans of a JPEG: cameras make up to 12, and each costs as much time as the whole picture. */
    private const MAX_SCANS = 64;
    /** Where the first chunk of a file is, and what its head holds. */
    private const CHUNKS = [
        'jpeg' => [2, 'a2name/nsize'], 'png' => [8, 'Nsize/a4name'], 'webp' => [12, 'a4name/Vsize'],
    ];
    private const MAX_CHUNKS = 10_000;
    /** A larger GIF counts as an animation, so that its blocks need not be followed. */
    private const MAX_STILL_GIF_BYTES = 8 << 20;
    /** The marker of a scan, after which there are no chunks. */
    private const JPEG_PIXELS = "\xff\xda";
    /** Memory for hashing a reduced picture. */
    private const SPARE_BYTES = 16 << 20;
    /** Memory for hashing a picture at full size. */
    private const BYTES_A_HASHED_PIXEL = 120;
    /** Four channels of two bytes. */
    private const IMAGICK_BYTES_A_PIXEL = 8;
    /** How WebM, FLV, WMV, MPEG, AVI, QuickTime without a brand, and both kinds of transport streams begin. */
    private const VIDEO = '/^(\x1a\x45\xdf\xa3|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\0\0\x01\xba|RIFF.{4}AVI |'
        . '.{4}(moov|mdat|wide|free|skip|pnot)|G.{187}G.{187}G|.{4}G.{191}G.{191}G)/s';
    /** Bytes that decoding takes for each pixel; libwebp and libavif keep a second copy. */
    private const BYTES_A_PIXEL = ['jpeg' => 4, 'png' => 4, 'gif' => 4, 'bmp' => 4, 'webp' => 9, 'avif' => 9];
    /** What Imagick reads, if it is there. */
    private const BY_IMAGICK = ['tiff', 'heic', 'avif', 'jxl'];
    /** Pixels of the largest picture that is hashed at full size; larger ones are first reduced to `SIDE` x `SIDE`. */
    private const FULL_SIZE_PIXELS = 512 * 512;
    private const SIDE = 512;
    private const NOTHING = ['signals' => [], 'dihedral' => []];
    /** Pixels of a side below which a part carries no information. */
    private const SMALLEST_TRIMMED = 64;
    /** A part larger than this share of both sides is found by the whole picture. */
    private const WHOLE_SHARE = 0.98;
    private const QUALITY_FLOOR = 50;
    /** Percentage of samples that lines along the sides do not explain: without it every such border would match. */
    private const LEAST_DETAIL = 5;
    /** A picture with a shorter side has no PDQ. */
    private const SMALLEST = 5;

    /**
     * Returns what a file is (`kind`: `picture`, `animation`, `video`, `unreadable`, `not_media`), notes about it, and
     * of a picture, or an animation's first frame, its `signals`, PDQ of the whole first, and the PDQ of its turned and
     * mirrored forms by name (`dihedral`), as a look-up service takes them.
     *
     * @return array{kind: string, notes: list<string>, signals: list<array<string, mixed>>, dihedral: array<string>}
     */
    public static function read(string $path, string $mediaType = ''): array
    {
        $start = (string) file_get_contents($path, length: 4096);
        $format = self::format($start);
        if ($format === 'video') {
            return ['kind' => 'video', 'notes' => ['of a video its SHA-256 alone was asked for'], ...self::NOTHING];
        }
        if ($format === '') {
            $isMedia = preg_match('~^\s*(image|video)/~i', $mediaType) === 1 || substr($start, 4, 4) === 'ftyp';
            $other = ['kind' => 'not_media', 'notes' => [], ...self::NOTHING];
            return $isMedia ? self::unreadable('its kind is not known') : $other;
        }
        $isCut = false;
        // Decoders warn about hostile files; a site may turn warnings into exceptions, or print them.
        set_error_handler(static function (int $_, string $text) use (&$isCut): bool {
            $isCut = $isCut || str_contains($text, 'Premature end');
            return true;
        });
        // Some hosts take `ini_set` away; a JPEG that is cut short is hashed there as it is shown.
        $ignores = function_exists('ini_set') ? ini_set('gd.jpeg_ignore_warning', '0') : false;
        try {
            $found = self::hash($path, $format);
            if ($isCut) { // what is missing of a JPEG is grey, and was hashed as if it were part of the picture
                return self::unreadable('it is cut short');
            }
            return self::isMoving($path, $format)
                ? ['kind' => 'animation', 'notes' => ['of an animation the first frame alone was asked for'], ...$found]
                : ['kind' => 'picture', 'notes' => [], ...$found];
        } catch (Throwable $error) {
            return self::unreadable($error instanceof TakebackError ? $error->getMessage() : 'it is damaged');
        } finally {
            is_string($ignores) && ini_set('gd.jpeg_ignore_warning', $ignores);
            restore_error_handler();
        }
    }

    /** @return array{kind: string, notes: list<string>, signals: array{}, dihedral: array{}} */
    private static function unreadable(string $why): array
    {
        return ['kind' => 'unreadable', 'notes' => ["unreadable: $why"], ...self::NOTHING];
    }

    /** Returns the format by the first bytes of a file: a picture's, `video`, or '' for any other file. */
    private static function format(string $start): string
    {
        $box = substr($start, 4, 4) === 'ftyp' ? substr($start, 8, max(4, unpack('N', $start)[1] - 8)) : '';
        // The second word is the minor version.
        $brands = implode(' ', array_diff_key(str_split($box, 4), [1 => '']));
        return match (true) {
            str_starts_with($start, "\xff\xd8\xff") => 'jpeg',
            str_starts_with($start, "\x89PNG\r\n\x1a\n") => 'png',
            str_starts_with($start, 'GIF87a'), str_starts_with($start, 'GIF89a') => 'gif',
            str_starts_with($start, 'BM') => 'bmp',
            str_starts_with($start, 'RIFF') && substr($start, 8, 4) === 'WEBP' => 'webp',
            preg_match('/^(II[*+]\0|MM\0[*+])/', $start) === 1 => 'tiff',
            str_starts_with($start, "\xff\x0a"), str_starts_with($start, "\0\0\0\x0cJXL \r\n\x87\n") => 'jxl',
            preg_match('/\b(avi[fso]|MA1[AB])\b/', $brands) === 1 => 'avif',
            preg_match('/\b(he[iv][cmsx]|heif|MiH[ABE]|mif[123]|msf1|miaf)\b/', $brands) === 1 => 'heic',
            $brands !== '', preg_match(self::VIDEO, $start) === 1 => 'video',
            default => '',
        };
    }

    /**
     * Returns the fingerprints of a picture. Throws `TakebackError`, or what a decoder throws.
     *
     * @return array{signals: list<array<string, mixed>>, dihedral: array<string, string>}
     */
    private static function hash(string $path, string $format): array
    {
        if (filesize($path) > self::MAX_BYTES) {
            throw new TakebackError('the file is larger than ' . (self::MAX_BYTES >> 20) . ' MB');
        }
        if ($format === 'jpeg' && self::scans($path) > self::MAX_SCANS) {
            throw new TakebackError('it has more than ' . self::MAX_SCANS . ' scans');
        }
        [$image, $isGrey] = self::decoded($path, $format);
        [$wide, $high] = [imagesx($image), imagesy($image)];
        if (min($wide, $high) < self::SMALLEST) {
            return self::NOTHING;
        }
        $bytes = $wide * $high * self::BYTES_A_HASHED_PIXEL;
        $isLarge = $wide * $high > self::FULL_SIZE_PIXELS || $bytes > self::freeBytes();
        if ($isLarge) {
            $image = self::reduced($image);
        }
        $how = $isGrey ? 'grey' : ($format === 'jpeg' ? 'whole' : 'exact');
        $orientation = self::orientation($path, $format);
        $rows = self::turned(self::luma($image, $how), $orientation);
        [$wide, $high] = $orientation >= 5 ? [$high, $wide] : [$wide, $high];
        $whole = $isLarge ? TakebackPdq::ofReduced($rows, $wide, $high) : TakebackPdq::ofFullSize($rows);
        $signals = [['type' => 'pdq', 'value' => $whole['hash'], 'quality' => $whole['quality']]];
        return ['signals' => [...$signals, ...self::content($rows, $wide, $high)], 'dihedral' => $whole['dihedral']];
    }

    /**
     * Returns the signals of what stands on a plain ground, such as the picture in a screenshot, upright and mirrored.
     *
     * @param list<list<float>> $rows
     * @return list<array<string, mixed>>
     */
    private static function content(array $rows, int $wide, int $high): array
    {
        if (min($wide, $high) < self::SMALLEST_TRIMMED || max($wide, $high) > 10 * min($wide, $high)) {
            return [];
        }
        [$left, $top, $right, $bottom] = TakebackGround::trimmed($rows);
        [$across, $down] = [($right - $left) / count($rows[0]), ($bottom - $top) / count($rows)];
        if ($across > self::WHOLE_SHARE && $down > self::WHOLE_SHARE) {
            return [];
        }
        $inside = static fn (array $row): array => array_slice($row, $left, $right - $left);
        $rows = array_map($inside, array_slice($rows, $top, $bottom - $top));
        $found = TakebackPdq::ofReduced($rows, (int) round($across * $wide), (int) round($down * $high));
        if ($found['quality'] < self::QUALITY_FLOOR || $found['detail'] < self::LEAST_DETAIL) {
            return [];
        }
        $forms = array_unique([$found['dihedral']['orig'], $found['dihedral']['flipy']]);
        return array_map(static fn (string $form): array => [
            'type' => 'pdq', 'value' => $form, 'quality' => $found['quality'], 'variant' => 'trimmed',
        ], array_values($forms));
    }

    /**
     * Returns a picture with its pixels as stored, and whether it has grey values alone.
     *
     * @return array{GdImage, bool}
     */
    private static function decoded(string $path, string $format): array
    {
        $read = "imagecreatefrom$format";
        $size = isset(self::BYTES_A_PIXEL[$format]) && function_exists($read) ? getimagesize($path) : false;
        $image = false;
        if ($size && $size[0] > 0 && $size[1] > 0) {
            self::checkSize($size[0], $size[1], self::BYTES_A_PIXEL[$format]);
            $image = $read($path);
        }
        if (!$image && in_array($format, self::BY_IMAGICK, true) && self::imagickReads($format)) {
            return [self::byImagick($path, $format), false];
        }
        if (!$image || !imagepalettetotruecolor($image)) {
            throw new TakebackError($image || $size ? 'it is damaged' : "$format cannot be decoded here");
        }
        $isGrey = match ($format) {
            'jpeg' => ($size['channels'] ?? 3) === 1,
            'png' => file_get_contents($path, offset: 25, length: 1) === "\0", // the colour type
            default => false,
        };
        return [$image, $isGrey];
    }

    private static function imagickReads(string $format): bool
    {
        return extension_loaded('imagick') && Imagick::queryFormats(strtoupper($format)) !== [];
    }

    /** Returns a picture that GD does not read, in colours over white, and reduced as `reduced` does. */
    private static function byImagick(string $path, string $format): GdImage
    {
        if (2 * (int) filesize($path) > self::freeBytes()) {
            throw new TakebackError("it is too large for PHP's memory_limit");
        }
        $data = (string) file_get_contents($path);
        $header = new Imagick();
        $header->pingImageBlob($data);
        self::checkSize($header->getImageWidth(), $header->getImageHeight(), self::IMAGICK_BYTES_A_PIXEL);
        $pages = new Imagick();
        $pages->readImageBlob($data, "$format:upload"); // the prefix keeps other decoders from guessing
        $pages->setFirstIterator();
        $picture = $pages->getImage();
        $picture->transformImageColorspace(Imagick::COLORSPACE_SRGB);
        $picture->setImageBackgroundColor('white');
        $picture = $picture->mergeImageLayers(Imagick::LAYERMETHOD_FLATTEN);
        if ($picture->getImageWidth() * $picture->getImageHeight() > self::FULL_SIZE_PIXELS) {
            $picture->resizeImage(self::SIDE, self::SIDE, Imagick::FILTER_BOX, 1);
        }
        $picture->setImageDepth(8);
        $picture->setImageFormat('png24');
        $image = imagecreatefromstring($picture->getImageBlob());
        return $image ?: throw new TakebackError('it is damaged');
    }

    /** Throws `TakebackError` for a picture of too many pixels, by what its header says, before it is decoded. */
    private static function checkSize(int $width, int $height, int $bytesAPixel): void
    {
        if ($width * $height > self::MAX_PIXELS) {
            throw new TakebackError('it has more than ' . intdiv(self::MAX_PIXELS, 1_000_000) . ' megapixels');
        }
        if ($width * $height * $bytesAPixel + self::SPARE_BYTES > self::freeBytes()) {
            throw new TakebackError("it is too large for PHP's memory_limit");
        }
    }

    /** Returns how much memory PHP may still take. */
    private static function freeBytes(): int
    {
        $limit = strtolower(trim((string) ini_get('memory_limit')));
        $bytes = (int) $limit * (['k' => 1 << 10, 'm' => 1 << 20, 'g' => 1 << 30][substr($limit, -1)] ?? 1);
        return $bytes > 0 ? $bytes - memory_get_usage() : PHP_INT_MAX;
    }

    private static function reduced(GdImage $image): GdImage
    {
        $small = imagecreatetruecolor(self::SIDE, self::SIDE);
        imagealphablending($small, false);
        imagecopyresampled($small, $image, 0, 0, 0, 0, self::SIDE, self::SIDE, imagesx($image), imagesy($image));
        return $small;
    }

    /**
     * Returns rows of luma over white: as stored of a grey picture, in whole numbers as in a JPEG, or in float32.
     *
     * @return list<list<float>>
     */
    private static function luma(GdImage $image, string $how): array
    {
        [$red, $green, $blue] = array_map(self::weighted(...), [0.299, 0.587, 0.114]);
        [$wide, $high, $rows] = [imagesx($image), imagesy($image), []];
        for ($y = 0; $y < $high; $y++) {
            $row = $more = [];
            for ($x = 0; $x < $wide; $x++) {
                $pixel = imagecolorat($image, $x, $y);
                if ($pixel >> 24) {
                    $pixel = self::overWhite($pixel);
                }
                if ($how === 'grey') {
                    $row[] = (float) ($pixel & 255);
                } else {
                    $row[] = $red[$pixel >> 16] + $green[$pixel >> 8 & 255];
                    $more[] = $blue[$pixel & 255];
                }
            }
            if ($how !== 'grey') {
                $row = TakebackPdq::float32($row);
                foreach ($row as $x => $_) {
                    $row[$x] += $more[$x];
                }
                $row = $how === 'whole' ? array_map('round', $row) : TakebackPdq::float32($row);
            }
            $rows[] = $row;
        }
        return $rows;
    }

    /**
     * Returns the values of a channel times its weight, that of ITU-R BT.601.
     *
     * @return list<float>
     */
    private static function weighted(float $weight): array
    {
        $weight = TakebackPdq::float32([$weight])[0];
        return TakebackPdq::float32(array_map(static fn (int $value): float => $weight * $value, range(0, 255)));
    }

    private static function overWhite(int $pixel): int
    {
        $clear = $pixel >> 24 & 127;
        $mix = static fn (int $value): int => (int) (($value * (127 - $clear) + 255 * $clear) / 127 + 0.5);
        return $mix($pixel >> 16 & 255) << 16 | $mix($pixel >> 8 & 255) << 8 | $mix($pixel & 255);
    }

    /**
     * Returns the rows turned upright by EXIF's orientation.
     *
     * @param list<list<float>> $rows
     * @return list<list<float>>
     */
    private static function turned(array $rows, int $orientation): array
    {
        if ($orientation >= 5) {
            $rows = array_map(null, ...$rows);
        }
        if (in_array($orientation, [3, 4, 7, 8], true)) {
            $rows = array_reverse($rows);
        }
        return in_array($orientation, [2, 3, 6, 7], true) ? array_map('array_reverse', $rows) : $rows;
    }

    private static function scans(string $path): int
    {
        [$file, $count, $last] = [fopen($path, 'rb'), 0, ''];
        while (!feof($file)) {
            $part = $last . fread($file, 1 << 20);
            $count += substr_count($part, "\xff\xda");
            $last = substr($part, -1);
        }
        fclose($file);
        return $count;
    }

    /** Returns the orientation, 1 to 8, in a picture's EXIF block; 1 if there is none that can be read. */
    private static function orientation(string $path, string $format): int
    {
        $block = self::exif($path, $format);
        [$short, $long] = ['II' => ['v', 'V'], 'MM' => ['n', 'N']][substr($block, 0, 2)] ?? ['', ''];
        if ($short === '' || strlen($block) < 8) {
            return 1;
        }
        $directory = substr($block, unpack($long, $block, 4)[1]);
        $count = strlen($directory) < 2 ? 0 : unpack($short, $directory)[1];
        foreach (array_slice(str_split(substr($directory, 2), 12), 0, $count) as $entry) {
            // Tag 0x0112, of type 3: a number of two bytes.
            if (strlen($entry) === 12 && str_starts_with($entry, pack("{$short}2", 0x0112, 3))) {
                $value = unpack($short, $entry, 8)[1];
                return $value >= 1 && $value <= 8 ? $value : 1;
            }
        }
        return 1;
    }

    /** Returns the EXIF block of a JPEG, PNG or WebP file; '' if there is none. */
    private static function exif(string $path, string $format): string
    {
        foreach (self::chunks($path, $format) as [$name, $at, $size]) {
            if (in_array($name, ["\xff\xe1", 'eXIf', 'EXIF'], true) && $size > 0) {
                $block = (string) file_get_contents($path, offset: $at, length: min(65_536, $size));
                $block = (string) preg_replace('/^Exif\0\0/', '', $block);
                if (preg_match('/^(II\*\0|MM\0\*)/', $block) === 1) { // a JPEG may have XMP there
                    return $block;
                }
            }
        }
        return '';
    }

    /**
     * Returns name, place and size of each chunk of a JPEG before its pixels, a PNG or a WebP; none of another format.
     *
     * @return Generator<array{string, int, int}>
     */
    private static function chunks(string $path, string $format): Generator
    {
        [$at, $layout] = self::CHUNKS[$format] ?? [0, ''];
        $file = fopen($path, 'rb');
        for ($number = 0; $layout !== '' && $number < self::MAX_CHUNKS; $number++) {
            $head = fseek($file, $at) === 0 ? (string) fread($file, 8) : '';
            $chunk = strlen($head) === 8 ? unpack($layout, $head) : ['name' => self::JPEG_PIXELS, 'size' => 0];
            if ($chunk['name'] === self::JPEG_PIXELS) {
                return;
            }
            yield [$chunk['name'], $at + ($format === 'jpeg' ? 4 : 8), $chunk['size']];
            $at += $chunk['size'] + match ($format) { 'jpeg' => 2, 'png' => 12, default => 8 + $chunk['size'] % 2 };
        }
    }

    /** Returns whether a picture has further frames, which GD does not read. */
    private static function isMoving(string $path, string $format): bool
    {
        if ($format === 'gif') {
            return filesize($path) > self::MAX_STILL_GIF_BYTES || self::isMovingGif((string) file_get_contents($path));
        }
        foreach (self::chunks($path, $format) as [$name]) {
            if ($name === 'acTL' || $name === 'ANIM') {
                return true;
            }
        }
        $isSequence = preg_match('/^.{4}ftyp.{0,64}(avis|msf1|hevc)/s', (string) file_get_contents($path, length: 80));
        return in_array($format, ['avif', 'heic'], true) && $isSequence === 1;
    }

    /** Returns whether a GIF has a second image: its blocks are followed, for none of their marks need be there. */
    private static function isMovingGif(string $data): bool
    {
        $table = static fn (int $flags): int => $flags & 128 ? 3 << ($flags & 7) + 1 : 0;
        $byte = static fn (int $at): int => ord($data[$at] ?? "\0");
        [$at, $images] = [13 + $table($byte(10)), 0];
        while (isset($data[$at]) && $data[$at] !== ';') {
            if ($data[$at] !== ',' && $data[$at] !== '!') { // decoders skip what is no block
                $at++;
                continue;
            }
            $images += $data[$at] === ',' ? 1 : 0;
            if ($images > 1) {
                return true;
            }
            $at += $data[$at] === ',' ? 11 + $table($byte($at + 9)) : 2;
            while ($byte($at) > 0) {
                $at += $byte($at) + 1;
            }
            $at++;
        }
        return false;
    }
}

/** PDQ, in the arithmetic of the reference: float32 in its order, because sums in float64 move hashes of graphics. */
final class TakebackPdq
{
    private const SIDE = 64;
    private const NAMES = ['orig', 'rot90', 'rot180', 'rot270', 'flipx', 'flipy', 'flipp', 'flipm'];

    /**
     * Rounds numbers to float32.
     *
     * @param array<float> $values
     * @return list<float>
     */
    public static function float32(array $values): array
    {
        return array_values(unpack('g*', pack('g*', ...$values)));
    }

    /**
     * Returns the PDQ of rows of luma by the full-size rule.
     *
     * @param list<list<float>> $rows
     * @return array{hash: string, quality: int, detail: int, dihedral: array<string, string>}
     */
    public static function ofFullSize(array $rows): array
    {
        [$high, $wide] = [count($rows), count($rows[0])];
        // A box runs over lines, so that the numbers of a line are rounded together.
        $columns = self::boxed(array_map(null, ...$rows), range(0, $wide - 1));
        $lines = self::boxed(array_map(null, ...$columns), range(0, $high - 1));
        $columns = self::boxed(array_map(null, ...$lines), self::sampled($wide));
        $samples = self::boxed(array_map(null, ...$columns), self::sampled($high));
        // The reference hashes a picture of 64 x 64 unfiltered, and its turned forms filtered.
        return self::concluded($wide === self::SIDE && $high === self::SIDE ? $rows : $samples, $samples);
    }

    /** @return list<int> */
    private static function sampled(int $length): array
    {
        return array_map(static fn (int $at): int => (2 * $at + 1) * $length >> 7, range(0, self::SIDE - 1));
    }

    /**
     * Returns a box filter's output at the lines `$wanted`, which rise.
     *
     * @param list<list<float>> $lines
     * @param list<int> $wanted
     * @return list<list<float>>
     */
    private static function boxed(array $lines, array $wanted): array
    {
        $length = count($lines);
        $window = intdiv($length + 127, 128);
        $ahead = intdiv($window + 2, 2) - 1;
        $sum = array_fill(0, count($lines[0]), 0.0);
        [$out, $tick] = [[], 0];
        foreach ($wanted as $at) {
            for (; $tick <= $at + $ahead; $tick++) {
                if (isset($lines[$tick])) {
                    $sum = self::added($sum, $lines[$tick], 1);
                }
                if (isset($lines[$tick - $window])) {
                    $sum = self::added($sum, $lines[$tick - $window], -1);
                }
            }
            $last = $tick - 1;
            $count = max(1, $last < $window ? $last + 1 : ($last < $length ? $window : $window + $length - 1 - $last));
            $line = [];
            foreach ($sum as $value) {
                $line[] = $value / $count;
            }
            $out[] = self::float32($line);
        }
        return $out;
    }

    /**
     * @param list<float> $sum
     * @param list<float> $line
     * @return list<float>
     */
    private static function added(array $sum, array $line, int $sign): array
    {
        foreach ($line as $at => $value) {
            $sum[$at] += $sign * $value;
        }
        return self::float32($sum);
    }

    /**
     * Returns the PDQ of a picture of `$wide` x `$high` pixels from a reduced copy: nearly the full-size rule's.
     *
     * @param list<list<float>> $rows
     * @return array{hash: string, quality: int, detail: int, dihedral: array<string, string>}
     */
    public static function ofReduced(array $rows, int $wide, int $high): array
    {
        $columns = self::tented(array_map(null, ...$rows), $wide);
        $samples = self::tented(array_map(null, ...$columns), $high);
        return self::concluded($samples, $samples);
    }

    /**
     * Returns what two boxes one after the other give at the sampled lines: means under a tent. `$length` is that of
     * the side before it was reduced to the lines.
     *
     * @param list<list<float>> $lines
     * @return list<list<float>>
     */
    private static function tented(array $lines, int $length): array
    {
        $window = intdiv($length + 127, 128);
        $scale = count($lines) / $length;
        $out = [];
        foreach (self::sampled($length) as $at) {
            // An even window holds one more line after its middle than before it, in each of the boxes.
            $middle = ($at + ($window % 2 ? 0.5 : 1.5)) * $scale;
            [$first, $last] = [max(0, (int) ($middle - $window * $scale)), (int) ($middle + $window * $scale)];
            $sum = array_fill(0, count($lines[0]), 0.0);
            $total = 0.0;
            for ($line = $first; $line <= min($last, count($lines) - 1); $line++) {
                $edges = [($line - $middle) / ($window * $scale), ($line + 1 - $middle) / ($window * $scale)];
                $weight = self::tent($edges[1]) - self::tent($edges[0]);
                $total += $weight;
                foreach ($lines[$line] as $place => $value) {
                    $sum[$place] += $weight * $value;
                }
            }
            $out[] = array_map(static fn (float $value): float => $value / $total, $sum);
        }
        return $out;
    }

    /** Returns the area of a tent of width 2 and area 1 up to `$at`, which is 0 at its middle. */
    private static function tent(float $at): float
    {
        $at = max(-1.0, min(1.0, $at));
        return $at < 0 ? (1 + $at) ** 2 / 2 : 1 - (1 - $at) ** 2 / 2;
    }

    /**
     * Returns hash and quality of `$single`, and the turned and mirrored forms of `$filtered`.
     *
     * @param list<list<float>> $single
     * @param list<list<float>> $filtered
     * @return array{hash: string, quality: int, detail: int, dihedral: array<string, string>}
     */
    private static function concluded(array $single, array $filtered): array
    {
        $waves = self::waves($filtered);
        $forms = [];
        foreach (self::NAMES as $which => $name) {
            $forms[$name] = self::bits(self::form($waves, $which));
        }
        $hash = $single === $filtered ? $forms['orig'] : self::bits(self::waves($single));
        [$quality, $detail] = [self::quality($single), self::detail($single)];
        return ['hash' => $hash, 'quality' => $quality, 'detail' => $detail, 'dihedral' => $forms];
    }

    /**
     * Returns the 16 x 16 lowest frequencies of the DCT but the constant ones, row by row.
     *
     * @param list<list<float>> $samples
     * @return list<float>
     */
    private static function waves(array $samples): array
    {
        $half = self::summed(static fn (int $k): array => [self::cosines($k), $samples[$k]]);
        $columns = array_chunk($half, self::SIDE); // by vertical frequency, then by column
        return self::summed(static fn (int $k): array => [array_column($columns, $k), self::cosines($k)]);
    }

    /**
     * Returns the sum of the outer products of two lists of numbers for each index, added in order.
     *
     * @param callable(int): array{list<float>, list<float>} $pair
     * @return list<float>
     */
    private static function summed(callable $pair): array
    {
        $sum = [];
        for ($k = 0; $k < self::SIDE; $k++) {
            [$downs, $acrosses] = $pair($k);
            $products = [];
            foreach ($downs as $down) {
                foreach ($acrosses as $across) {
                    $products[] = $down * $across;
                }
            }
            $products = self::float32($products);
            $sum = $k === 0 ? $products : self::added($sum, $products, 1);
        }
        return $sum;
    }

    /**
     * Returns column `$at` of the DCT's matrix.
     *
     * @return list<float>
     */
    private static function cosines(int $at): array
    {
        $scale = self::float32([sqrt(2 / self::SIDE)])[0];
        $entry = static fn (int $wave): float => $scale * cos(M_PI / 128 * $wave * (2 * $at + 1));
        return self::float32(array_map($entry, range(1, 16)));
    }

    /**
     * Returns the frequencies of a turned or mirrored form: transposed or not, with the signs of odd waves changed.
     *
     * @param list<float> $waves
     * @return list<float>
     */
    private static function form(array $waves, int $which): array
    {
        $isTransposed = $which === 1 || $which === 3 || $which >= 6;
        $form = [];
        for ($place = 0; $place < 256; $place++) {
            [$i, $j] = $isTransposed ? [$place & 15, $place >> 4] : [$place >> 4, $place & 15];
            $isNegative = match ($which) {
                0, 6 => false,
                1, 5 => $j % 2 === 0,
                2, 7 => ($i + $j) % 2 === 1,
                default => $i % 2 === 0,
            };
            $form[] = $isNegative ? -$waves[16 * $i + $j] : $waves[16 * $i + $j];
        }
        return $form;
    }

    /**
     * Returns a bit for each frequency above the median, the last one first, in hex.
     *
     * @param list<float> $waves
     */
    private static function bits(array $waves): string
    {
        $ranked = $waves;
        sort($ranked);
        $hex = '';
        foreach (array_chunk(array_reverse($waves), 4) as $four) {
            $digit = 0;
            foreach ($four as $wave) {
                $digit = 2 * $digit + ($wave > $ranked[127] ? 1 : 0); // never a mean of two values
            }
            $hex .= dechex($digit);
        }
        return $hex;
    }

    /** @param list<list<float>> $samples */
    private static function quality(array $samples): int
    {
        $sum = 0;
        foreach ([$samples, array_map(null, ...$samples)] as $lines) {
            for ($at = 1; $at < self::SIDE; $at++) {
                $off = [];
                foreach ($lines[$at] as $place => $value) {
                    $off[] = $lines[$at - 1][$place] - $value;
                }
                foreach ([[100, 1], [1, 255]] as [$times, $over]) {
                    $off = array_map(static fn (float $value): float => $value * $times / $over, self::float32($off));
                }
                foreach (self::float32($off) as $value) {
                    $sum += abs((int) $value);
                }
            }
        }
        return min(100, intdiv($sum, 90));
    }

    /**
     * Returns the percentage of samples that differ from what the medians of their row and column predict.
     *
     * @param list<list<float>> $samples
     */
    private static function detail(array $samples): int
    {
        $middle = static function (array $values): float {
            sort($values);
            return $values[self::SIDE / 2];
        };
        $rows = array_map($middle, $samples);
        $columns = array_map($middle, array_map(null, ...$samples));
        $all = $middle($rows);
        $count = 0;
        foreach ($samples as $i => $row) {
            foreach ($row as $j => $value) {
                $count += abs($value - $rows[$i] - $columns[$j] + $all) > 8 ? 1 : 0;
            }
        }
        return intdiv(100 * $count, self::SIDE ** 2);
    }
}

/** Finds what stands on a plain ground: the picture between bars, or in a screenshot. */
final class TakebackGround
{
    /** Grey levels by which pixels of one ground differ. */
    private const TOLERANCE = 10;
    /** Share of a line's pixels that may differ from the ground. */
    private const NOISE = 0.04;
    /** Lines of ground in each of which there is one that does not divide a thing. */
    private const GAP = 60;
    /** A thing under this share of a side does not count. */
    private const LEAST_SHARE = 0.1;

    /**
     * Returns the largest thing on a plain ground: left, top, and the column and row after it; else the whole.
     *
     * @param list<list<float>> $rows
     * @return array{int, int, int, int}
     */
    public static function trimmed(array $rows): array
    {
        $bytes = static fn (array $line): string => pack('C*', ...array_map('round', $line));
        $lines = [array_map($bytes, $rows), array_map($bytes, array_map(null, ...$rows))];
        $sides = [count($lines[0]), count($lines[1])];
        $off = self::off($lines[0][0] . $lines[0][$sides[0] - 1] . $lines[1][0] . $lines[1][$sides[1] - 1]);
        $all = implode('', array_map('chr', range(0, 255)));
        $found = [[0, $sides[0]], [0, $sides[1]]];
        // The second pass counts only within the columns that the first one found.
        foreach ([0, 1, 0, 1] as $axis) {
            [$first, $end] = $found[$axis];
            [$from, $to] = $found[1 - $axis];
            $counts = [];
            for ($at = $first; $at < $end; $at++) {
                $counts[] = substr_count(strtr(substr($lines[$axis][$at], $from, $to - $from), $all, $off), "\1");
            }
            [$start, $stop] = self::longest($counts, $to - $from, intdiv($sides[$axis], self::GAP));
            $found[$axis] = [$first + $start, $first + $stop];
        }
        [[$top, $bottom], [$left, $right]] = $found;
        $isSmall = $bottom - $top < $sides[0] * self::LEAST_SHARE || $right - $left < $sides[1] * self::LEAST_SHARE;
        return $isSmall ? [0, 0, $sides[1], $sides[0]] : [$left, $top, $right, $bottom];
    }

    /** Returns a byte for each grey level: 0 near the most common one of the edge, else 1. */
    private static function off(string $edge): string
    {
        $counts = count_chars($edge);
        [$ground, $most] = [0, -1];
        for ($level = 0; $level < 256; $level++) {
            // Seven levels count together, because the noise of a JPEG spreads a plain ground over several.
            $near = array_sum(array_slice($counts, max(0, $level - 3), min(256, $level + 4) - max(0, $level - 3)));
            [$ground, $most] = $near > $most ? [$level, $near] : [$ground, $most];
        }
        $isOff = static fn (int $level): string => chr(abs($level - $ground) > self::TOLERANCE ? 1 : 0);
        return implode('', array_map($isOff, range(0, 255)));
    }

    /**
     * Returns start and end of the longest run of lines that are not ground; of all lines if there is none.
     *
     * @param list<int> $counts
     * @return array{int, int}
     */
    private static function longest(array $counts, int $length, int $gap): array
    {
        $busy = array_keys(array_filter($counts, static fn (int $count): bool => $count > $length * self::NOISE));
        $best = $busy ? [0, 0] : [0, count($counts)];
        $start = $busy[0] ?? 0;
        foreach ($busy as $number => $place) {
            $start = $number > 0 && $place - $busy[$number - 1] > $gap + 1 ? $place : $start;
            $best = $place + 1 - $start > $best[1] - $best[0] ? [$start, $place + 1] : $best;
        }
        return $best;
    }
}
