<?php

declare(strict_types=1);

namespace MediaWiki\Extension\Takeback;

use RuntimeException;

/** A setting cannot be used; the text is for administrators, and names no upload and no person. */
final class SettingsProblem extends RuntimeException
{
}
