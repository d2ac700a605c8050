<?php

declare(strict_types=1);

namespace MediaWiki\Extension\Takeback;

use LocalFile;
use LocalRepo;
use MediaWiki\MediaWikiServices;
use OldLocalFile;

/** The files of the wiki with one content, whatever their names are by now: current ones and older versions. */
final class StoredCopies
{
    /** `$sha1` is MediaWiki's, in base 36. */
    public function __construct(private readonly LocalRepo $repo, private readonly string $sha1)
    {
    }

    /** Returns one of them, or null. */
    public function any(): ?LocalFile
    {
        $file = $this->files()[0] ?? null;
        return $file === null || $file->getSha1() === $this->sha1 ? $file : $this->older($file, true)[0];
    }

    /** Removes all of them, and returns whether that worked. A file with another older version goes back to it. */
    public function remove(): bool
    {
        $reason = wfMessage('takeback-removed')->inContentLanguage()->text();
        $worked = true;
        foreach ($this->files() as $file) {
            if ($this->removeFrom($file, $reason)) {
                ReviewLog::add('removed', $file->getTitle());
            } else {
                $worked = false;
            }
        }
        return $worked;
    }

    /** @return list<LocalFile> The files that have this content now or in an older version. */
    private function files(): array
    {
        // A replica may not know the file yet.
        $database = $this->repo->getPrimaryDB();
        $names = [
            ...$database->selectFieldValues('image', 'img_name', ['img_sha1' => $this->sha1], __METHOD__),
            ...$database->selectFieldValues('oldimage', 'oi_name', ['oi_sha1' => $this->sha1], __METHOD__),
        ];
        $files = array_map($this->current(...), array_values(array_unique($names)));
        $isOne = fn (LocalFile $file) => $file->getSha1() === $this->sha1 || $this->older($file, true) !== [];
        return array_values(array_filter($files, $isOne));
    }

    private function current(string $name): LocalFile
    {
        $file = $this->repo->newFile($name);
        $file->load(LocalFile::READ_LATEST);
        return $file;
    }

    /** @return list<OldLocalFile> The older versions with this content, or with another one, the newest first. */
    private function older(LocalFile $file, bool $withContent): array
    {
        $isOne = fn (OldLocalFile $one) => ($one->getSha1() === $this->sha1) === $withContent
            && !$one->isDeleted(LocalFile::DELETED_FILE);
        return array_values(array_filter($file->getHistory(), $isOne));
    }

    private function removeFrom(LocalFile $file, string $reason): bool
    {
        $account = ReviewLog::account();
        $good = $file->getSha1() === $this->sha1 ? $this->older($file, false)[0] ?? null : null;
        if ($good !== null) {
            $source = $file->getArchiveVirtualUrl($good->getArchiveName());
            if (!$file->upload($source, $reason, '', 0, false, false, $account, [], true, true)->isOK()) {
                return false;
            }
            $file = $this->current($file->getName());
        }
        $worked = true;
        foreach ($this->older($file, true) as $old) {
            $worked = $file->deleteOldFile($old->getArchiveName(), $reason, $account, true)->isOK() && $worked;
        }
        return $worked && ($file->getSha1() !== $this->sha1 || $this->removeWhole($file, $reason));
    }

    /** Removes a file with its page, whose text came from the uploader; only who may see suppressed content still sees them. */
    private function removeWhole(LocalFile $file, string $reason): bool
    {
        $services = MediaWikiServices::getInstance();
        $account = ReviewLog::account();
        if (!$file->deleteFile($reason, $account, true)->isOK()) {
            return false;
        }
        $page = $services->getWikiPageFactory()->newFromTitle($file->getTitle());
        if ($page->exists()) {
            $services->getDeletePageFactory()->newDeletePage($page, $account)->setSuppress(true)->deleteUnsafe($reason);
        }
        return true;
    }
}
