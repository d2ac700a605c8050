<?php

declare(strict_types=1);

namespace MediaWiki\Extension\Takeback;

use Config;
use FSFile;
use JobQueueGroup;
use MediaWiki\Hook\FileUploadHook;
use MediaWiki\Hook\UploadStashFileHook;
use MediaWiki\Hook\UploadVerifyUploadHook;
use MediaWiki\Logger\LoggerFactory;
use MediaWiki\MediaWikiServices;
use MediaWiki\User\Hook\UserGetReservedNamesHook;
use UploadBase;
use UploadFromChunks;
use UploadFromStash;
use UploadStashException;
use User;
use WeakMap;

/**
 * Checks files before they are stored.
 *
 * Whatever a person uploads passes `UploadVerifyUpload` before it is published, and `UploadStashFile` before it is stashed:
 * the form, the API, parts that have been put together, and files that the wiki fetches by URL. `UploadVerifyFile` is not
 * used: it runs several times for one upload, does not know the uploader, and its message is lost if parts are put together.
 * Files that skip both (imports, reverts, rotations) reach `FileUpload` when they are stored; a job checks them then.
 */
final class Hooks implements FileUploadHook, UploadStashFileHook, UploadVerifyUploadHook, UserGetReservedNamesHook
{
    private readonly Checker $checker;
    /** @var WeakMap<UploadBase, array{string, list<string>|null}> The path and the refusal of uploads of this request. */
    private readonly WeakMap $asked;
    /** @var array<string, Outcome> What was decided in this request, by SHA-1. */
    private array $decided = [];

    public function __construct(Config $config, private readonly JobQueueGroup $jobs)
    {
        $this->checker = new Checker($config);
        $this->asked = new WeakMap();
    }

    /** @inheritDoc */
    public function onUploadVerifyUpload(UploadBase $upload, User $user, ?array $props, $comment, $pageText, &$error)
    {
        $error = $this->refusal($upload, $user, $props) ?? $error;
    }

    /** @inheritDoc */
    public function onUploadStashFile(UploadBase $upload, User $user, ?array $props, &$error)
    {
        $error = $this->refusal($upload, $user, $props) ?? $error;
    }

    /** @inheritDoc */
    public function onFileUpload($file, $reupload, $hasDescription)
    {
        $outcome = $this->decided[$file->getSha1()] ?? null;
        unset($this->decided[$file->getSha1()]);
        if ($outcome === Outcome::AcceptForReview) {
            ReviewLog::add('review', $file->getTitle());
        } elseif ($outcome !== Outcome::Accept) {
            if ($outcome === Outcome::AcceptForNow) {
                ReviewLog::add('later', $file->getTitle());
            }
            $this->jobs->push(RecheckJob::of($file));
        }
    }

    /** @inheritDoc */
    public function onUserGetReservedNames(&$reservedUsernames)
    {
        $reservedUsernames[] = ReviewLog::ACCOUNT;
    }

    /**
     * Returns the message to the uploader as the hooks expect it, or null if the upload is accepted. Asks once in a request:
     * MediaWiki tries to stash what it could not publish.
     *
     * @param array<string, mixed>|null $props
     * @return list<string>|null
     */
    private function refusal(UploadBase $upload, User $user, ?array $props): ?array
    {
        $path = (string) $upload->getTempPath();
        if (($this->asked[$upload] ?? [null])[0] !== $path) {
            $this->asked[$upload] = [$path, $this->ask($path, $user, (string) ($props['file-mime'] ?? ''))];
        }
        $refusal = $this->asked[$upload][1];
        if ($refusal !== null) {
            $this->clean($upload, $user, $refusal[0]);
        }
        return $refusal;
    }

    /** @return list<string>|null */
    private function ask(string $path, User $user, string $mediaType): ?array
    {
        try {
            $outcome = $this->checker->check($path, $mediaType, $user->getName());
        } catch (SettingsProblem $problem) {
            LoggerFactory::getInstance('Takeback')->error('uploads are refused: {why}', ['why' => $problem->getMessage()]);
            return $user->isAllowed('takeback-review')
                ? ['takeback-not-set-up-details', wfEscapeWikiText($problem->getMessage())]
                : ['takeback-not-set-up'];
        }
        if ($outcome->refusal() !== '') {
            return [$outcome->refusal()];
        }
        $this->decided[(string) FSFile::getSha1Base36FromPath($path)] = $outcome;
        return null;
    }

    /**
     * Removes from the stash what MediaWiki would leave there: the first part of a refused upload, or a file that was listed
     * since it was stashed. The file is purged by its path, because `removeFile` of MediaWiki 1.39 removes only the row.
     */
    private function clean(UploadBase $upload, User $user, string $refusal): void
    {
        $isParts = $upload instanceof UploadFromChunks;
        if (!$isParts && !($upload instanceof UploadFromStash && $refusal === Outcome::Block->refusal())) {
            return;
        }
        $key = (fn () => $this->mFileKey)->call($upload);
        $repo = MediaWikiServices::getInstance()->getRepoGroup()->getLocalRepo();
        try {
            $stash = $repo->getUploadStash($user);
            $path = $stash->getMetadata($key)['us_path'];
            $stash->removeFile($key);
            $repo->quickPurge($path);
        } catch (UploadStashException) {
            // It is removed already.
        }
    }
}
