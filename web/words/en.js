/**
 * Every word of the page in English. A person of fifteen who is afraid must be able to read it.
 *
 * A message is text with `{names}` to fill in, or, where a number changes the sentence, `{ by, one, other }`:
 * `by` names the number, the rest are the plural forms of this language (`Intl.PluralRules`), and each form is
 * a message again. No sentence is ever put together from pieces. What stands between “ and ” is the name of
 * something on a screen, here or in another app. The names and numbers of organisations are in
 * `page/helplines.js` and `page/platforms.js`, and the letters to platforms, always in English, in `page/letters.js`.
 *
 * Another language is `words/CODE.json` with the same keys: see `words/README.md`.
 */
export const language = {
  code: "en",
  dir: "ltr",
  /** Whether someone who grew up with the language has read all of it; if not, the page says so. */
  reviewed: true,
  words: {
    "frame.title": "Home page",
    "frame.brand": "Takeback",
    "frame.skip": "Skip to the main part",
    "frame.leave": "Leave quickly",
    "frame.leave-keys": "You can also press the Shift key three times.",
    "frame.shift": {
      by: "count",
      one: "Press Shift once more to leave.",
      other: "Press Shift {count} more times to leave.",
    },
    "frame.help": "Help now",
    "frame.more": "More help",
    "frame.step": "Step {step} of {steps}",
    "frame.back": "Back",
    "frame.return": "Back to where you were",
    "frame.new-tab": "(opens a new tab)",
    "frame.trace": "This page keeps nothing on your device. Your browser may still list it in its history.",
    "frame.kept":
      "You chose to keep the program of this page on this device. Your browser may also list the page in its history.",
    "frame.start": "Start page",
    "frame.lookup": "Look up your case",
    "frame.posted": "It is already posted",
    "frame.urgent": "Someone is threatening me",
    "frame.lines": "Help lines",
    "frame.how": "How it works",
    "frame.faq": "Questions and answers",
    "frame.language": "Language",
    "frame.unreviewed":
      "A computer helped to put this page into your language. No one who grew up with the language has checked it yet.",
    "frame.language-failed": "We could not load that language. Please check your connection.",
    "frame.offline":
      "You are offline. You can still choose pictures and make the fingerprints. We can send them when you are back online.",
    "frame.offline-some":
      "You are offline. You can still make the fingerprints of most pictures. Videos and some pictures, like HEIC, have to wait until you are back online.",

    "inapp.title": "This page is open inside {app}",
    "inapp.title-other": "This page is open inside another app",
    "inapp.why": "That app may see what you do here, and choosing pictures may fail.",
    "inapp.how":
      "Open this page in your own browser. Tap the three dots, then “Open in browser”. If it is not there, copy the address.",
    "inapp.copy": "Copy the address",

    "side.title": "What has left this device",
    "side.nothing": "Nothing of yours.",
    "side.asked": "Your case number and your PIN, to open your case.",
    "side.sent": "The fingerprints, with the message you could read before. No picture.",

    "ready.loading": "Getting your device ready…",
    "ready.ready": "Your device is ready.",
    "ready.failed": "Your device could not get ready. Please check your connection.",
    "ready.retry": "Try again",

    "start.title": "Stop a picture from spreading",
    "start.lead":
      "Is there a nude or sexual picture of you from when you were under 18? We can help stop it from being posted.",
    "start.fake": "A fake picture made with AI counts too.",
    "start.kind":
      "What happened is not your fault. You do not need to give a name, and you are not in trouble here.",
    "start.begin": "Start",
    "start.lookup": "I have a case number",
    "start.happens": "What happens",
    "start.stays": "Your picture stays with you",
    "start.stays-more": "It never leaves this device. No one sees it, not even us.",
    "start.hash": "Your device makes its fingerprint",
    "start.hash-more": "It is a line of letters and numbers, also called a hash. It is not the picture.",
    "start.sent": "We send only the fingerprint",
    "start.sent-more":
      "Apps and sites that take part (platforms) get it. They can spot the same picture and block it.",
    "start.limits": "What this cannot do",
    "start.limit-posted": "It does not take down what is already posted.",
    "start.limit-platforms": "It works only on platforms that take part.",
    "start.limit-changed": "It can miss a copy that was changed a lot.",
    "start.limit-chats": "It cannot look into locked (encrypted) chats.",
    "start.posted": "What to do if it is already posted",
    "start.leave": "If you need to hide this page",
    "start.leave-more":
      "Press “Leave quickly”, or press the Shift key three times. A weather page opens in its place. The Back button will not bring this page back. It does not clear your browser’s history. You have to do that yourself.",

    "keep.title": "Make the next visit faster",
    "keep.more":
      "This page can keep its program on this device. It is about {size} big. Next time it opens faster, and it works without a network until you send.",
    "keep.trace":
      "It leaves a trace. Someone who looks through this browser’s data can see that this page was here. Do not turn it on if other people use this device.",
    "keep.never": "Your pictures, your case number and your PIN are never kept.",
    "keep.leave": "“Leave quickly” removes it again.",
    "keep.on": "Keep the program on this device",
    "keep.off": "Remove it from this device",
    "keep.working": "One moment…",
    "keep.is-on": "The program is now kept on this device.",
    "keep.is-off": "The program is no longer kept on this device.",
    "keep.failed": "That did not work. Nothing was kept.",

    "age.title": "Who is in the picture?",
    "age.lead": "We ask this to point you to the right help.",
    "age.now": "Me. I am under 18.",
    "age.then": "Me. I was under 18 in the picture, and I am older now.",
    "age.child": "My child. I am a parent or guardian.",
    "age.helper": "Someone else who was under 18. I am helping them.",
    "age.adult": "Me. I was 18 or over in the picture.",
    "age.more": "Not sure? Or is it a fake?",
    "age.unsure": "Not sure? If you may have been under 18, choose that you were.",
    "age.fake": "Is it a fake, made or changed with AI? Then choose how old you were when it was made.",

    "adult.title": "There is help for you too",
    "adult.lead":
      "This page is just for pictures of people under 18. StopNCII.org does the same job for people who were 18 or over.",
    "adult.same": "It is free. Your picture stays on your device there too, and you get a case number.",
    "adult.stop": "Go to StopNCII.org",
    "adult.posted": "You can also ask each app or site to take the picture down. We can help you write that.",
    "adult.change": "Change my answer",

    "where.title": "Where is the picture?",
    "where.lead": "Your answer stays on your device.",
    "where.private": "It is not posted, as far as I know.",
    "where.threat": "Someone says they will share it.",
    "where.posted": "It is posted somewhere.",
    "where.nofile": "Only someone else has it. I do not have the file.",

    "pictures.title": "Choose the pictures",
    "pictures.title-add": "Add pictures to your case",
    "pictures.lead": "Choose one or more pictures on this device. They all stay here.",
    "pictures.videos": "Videos count as pictures here. A long video takes more time.",
    "pictures.files": "What you can choose, and who can see it",
    "pictures.child":
      "You do not need to look at the picture. Please do not ask your child to send it to you. If it is on their phone, open this page there, with them.",
    "pictures.helper":
      "You do not need to look at the picture. Please do not ask anyone to send it to you. It is best to open this page on their device, with them.",
    "pictures.choose": "Choose pictures",
    "pictures.more": "Add more pictures",
    "pictures.drop": "You can also drop pictures here, or paste them.",
    "pictures.kinds": "These kinds of files work: {kinds}.",
    "pictures.private": "We show no previews and no file names, so that no one can look over your shoulder.",
    "pictures.list": "Your pictures",
    "pictures.item": "Picture {number}",
    "pictures.remove": "Remove",
    "pictures.remove-label": "Remove picture {number}",
    "pictures.count": {
      by: "count",
      one: "{count} picture in the list.",
      other: "{count} pictures in the list.",
    },
    "pictures.same": {
      by: "count",
      one: "{count} picture was in the list already. We left it out.",
      other: "{count} pictures were in the list already. We left them out.",
    },
    "pictures.most": {
      by: "most",
      one: "You can choose {most} picture at a time. We left out the rest. You can add them to your case later.",
      other:
        "You can choose {most} pictures at a time. We left out the rest. You can add them to your case later.",
    },
    "pictures.ai": "They are fake. They were made or changed with AI.",
    "pictures.none": "Choose at least one picture first.",
    "pictures.continue": "Continue",
    "pictures.nofile": "I do not have the file",

    "nofile.title": "No file? There is still a lot you can do",
    "nofile.lead":
      "Please do not go and look for the picture. Please do not ask anyone to send it. You can get help without it.",
    "nofile.posted": "If it is posted, you can ask the app or site to take it down. A link is enough.",
    "nofile.notice": "You can send a notice under a law of the United States. It needs no picture.",
    "nofile.threat": "If someone makes threats, you can get help right now.",
    "nofile.adult": "You can tell an adult you trust. You do not have to show them anything.",
    "nofile.later":
      "Does someone you trust already have the file? They can open this page on their own device. They must not send it to you.",
    "nofile.talk": "You can talk to someone",

    "hashing.title": "Making the fingerprints",
    "hashing.lead": "This happens on your device. Nothing is sent yet.",
    "hashing.all": "All pictures",
    "hashing.progress": "{done} of {count} done",
    "hashing.waiting": "Waiting",
    "hashing.opening": "Opening the picture",
    "hashing.making": "Making the fingerprint",
    "hashing.video": "Going through the video: {percent} of 100",
    "hashing.exact":
      "Done. Your browser cannot look inside this video. So only exact copies of the file can be spotted. A copy that was cut, made smaller or saved again will get through. You can try it in another browser.",
    "hashing.unseen":
      "Done. We cannot look inside this picture. So only exact copies of the file can be spotted.",
    "hashing.incomplete": "Done. Part of this file is missing. We used the part that is there.",
    "hashing.done": "Done",
    "hashing.weak": "Done. It has so little detail that only exact copies can be spotted.",
    "hashing.same": "The same as picture {number}. We send it once.",
    "hashing.unknown":
      "We cannot read this kind of file. It may be a kind of picture or video we do not know yet.",
    "hashing.damaged": "This file is broken or cut short, so we cannot read it.",
    "hashing.unreadable": "Your browser cannot open this file. It may have been moved.",
    "hashing.large": "This picture is too big for us to read. Make it smaller, then choose it again.",
    "hashing.crashed": "Something went wrong on our side with this picture. You can try it again.",
    "hashing.retry": "Try again",
    "hashing.retry-label": "Try picture {number} again",
    "hashing.stop": "Stop",
    "hashing.stopped": "You stopped. Nothing was sent.",
    "hashing.resume": "Go on",
    "hashing.finished": {
      by: "count",
      one: "{count} picture is ready to send.",
      other: "{count} pictures are ready to send.",
    },
    "hashing.missed": {
      by: "count",
      one: "{count} picture could not be read. You can go on without it.",
      other: "{count} pictures could not be read. You can go on without them.",
    },
    "hashing.none": "We could not read any of them. You can choose others, or see what else you can do.",
    "hashing.else": "See what else you can do",
    "hashing.change": "Back to the list",
    "hashing.continue": "Continue",

    "review.title": "This is all we send",
    "review.lead": {
      by: "count",
      one: "The fingerprints of {count} picture. No picture, no file name and no name of yours.",
      other: "The fingerprints of {count} pictures. No picture, no file name and no name of yours.",
    },
    "review.along":
      "A few facts go with the fingerprints: the day, and whether it is a video. If you said that AI made it, or that you are 18 or older now, that goes too.",
    "review.facts": "The day goes with them, and whether it is a video.",
    "review.was": "The message also says that you are 18 or older now.",
    "review.ai": "The message also says that AI made or changed the pictures.",
    "review.see": "See the exact message",
    "review.body": "The message, letter for letter:",
    "review.headers": "The lines that go with it:",
    "review.network":
      "As on every website, your network address and the kind of browser reach us too. We do not write them down. Those who run this page must keep to that too.",
    "review.work":
      "Your device may first solve a number puzzle, to keep fake messages out. It does so by itself. The answer goes along, and says nothing about you.",
    "review.parts": {
      by: "count",
      one: "It goes out as {count} message.",
      other: "It is long, so it goes out as {count} messages, one after the other.",
    },
    "review.why": "Why this cannot be turned back into your picture",
    "review.why-more":
      "A fingerprint is very short. A picture has millions of dots; a fingerprint has room for only a few letters. Most of the picture is just not in it.",
    "review.why-limit":
      "To be honest: in some tests, AI made rough guesses of a picture from one kind of fingerprint. So we guard them well, and only platforms with a key get them.",
    "review.limits":
      "The block can miss copies that were changed a lot. It cannot see into locked (encrypted) chats.",
    "review.self":
      "If you post one of these pictures yourself later, a platform may block it and may act on your account.",
    "review.after":
      "Next you get a case number and a PIN. With them you can see what happened, or stop the blocking.",
    "review.add": "The pictures join your case. Your case number and your PIN stay the same.",
    "review.send": "Send the fingerprints",

    "platforms.title": "Who gets the fingerprints",
    "platforms.named": {
      by: "count",
      one: "This platform takes part here: {names}.",
      other: "These platforms take part here: {names}.",
    },
    "platforms.unnamed": {
      by: "count",
      one: "{count} platform takes part that we may not name.",
      other: "{count} platforms take part that we may not name.",
    },
    "platforms.sites": {
      by: "count",
      one: "{count} small site checks its uploads with the fingerprints.",
      other: "{count} small sites check their uploads with the fingerprints.",
    },
    "platforms.none": "No platform takes part here yet. Platforms that join later get the fingerprints then.",
    "platforms.other":
      "No other app or site gets the fingerprints from us. Take It Down works with others. You can use both.",
    "platforms.unknown": "We could not load the list of platforms just now.",

    "sending.title": "Sending",
    "sending.now": "Sending the fingerprints…",
    "sending.offline": "No connection. We keep trying. Nothing is lost.",
    "sending.slow": "The answer is taking too long. We keep trying. Nothing is lost.",
    "sending.busy": "Our side is busy. We keep trying. Nothing is lost.",
    "sending.next": {
      by: "count",
      one: "Next try in {count} second.",
      other: "Next try in {count} seconds.",
    },
    "sending.open": "Please keep this page open.",
    "sending.again": "Try now",
    "sending.stop": "Stop sending",
    "sending.stopped":
      "You stopped. It may be that we already have the message. If you send it again from here, it still counts once.",
    "sending.refused": "We could not take the message. That is our fault, not yours. Please try once more.",
    "sending.fresh": "Try again",
    "sending.fault":
      "Something on this page went wrong, so we could not send. Please try again. If it still fails, open this page in another browser.",
    "sending.insecure":
      "This page was opened without https, so your browser does not let it send. Open it again with https:// at the start of its address.",

    "receipt.title": "Done. Your pictures are on the block list",
    "receipt.lead": "Keep these two. You need both to see what happened, or to stop the blocking.",
    "receipt.number": "Case number",
    "receipt.pin": "PIN",
    "receipt.warning": "No one can find them for you later, not even us.",
    "receipt.save": "Save them",
    "receipt.more": "Other ways to keep them",
    "receipt.copy": "Copy both",
    "receipt.copied": "Copied. They stay in the clipboard until you copy something else.",
    "receipt.copy-failed": "Copying did not work. Write them down, or save them as a file.",
    "receipt.image": "Save as a picture",
    "receipt.file": "Number: {number}\nCode: {pin}\n",
    "receipt.saved": "We made a file called {name}. It does not say what the numbers are for.",
    "receipt.save-failed": "Saving did not work. Write them down instead.",
    "receipt.print": "Print",
    "receipt.code": "Show a QR code",
    "receipt.code-more":
      "Scan it with another phone to have both there. It holds the number and the PIN and nothing else.",
    "receipt.code-label": "A QR code with your case number and your PIN",
    "receipt.hide": "Show me how to hide this",
    "receipt.hide-paper":
      "Write both on paper, with no other words. Put it where only you look: in a book, or in a shoe box.",
    "receipt.hide-note": "Or put them in a note that looks dull, like a list for school.",
    "receipt.hide-trust": "Or give them to someone you trust, to keep for you.",
    "receipt.hide-screen":
      "Are your photos or files shared or backed up? Then a screenshot or a saved file may show up on other devices.",
    "receipt.hide-downloads": "Your browser lists saved files. You can take them off that list.",
    "receipt.hide-clipboard": "If you copied them, copy some other word now.",
    "receipt.partly": {
      by: "count",
      one: "{count} picture could not be sent yet. You can add it from your case.",
      other: "{count} pictures could not be sent yet. You can add them from your case.",
    },
    "receipt.where": "To check later, come back to {address}",
    "receipt.kept": "I have kept my case number and my PIN",
    "receipt.kept-first": "Please tick this box first, so that you do not lose them.",
    "receipt.case": "See my case",
    "receipt.finish": "Finish and clear this page",

    "lookup.title": "Look up your case",
    "lookup.lead": "Type the case number and the PIN you kept. Spaces, dashes and small letters are fine.",
    "lookup.number": "Case number",
    "lookup.number-hint": "10 digits, like 482 915 7306",
    "lookup.number-missing": "Type your case number.",
    "lookup.number-length": {
      by: "count",
      one: "A case number has 10 digits. You typed {count}.",
      other: "A case number has 10 digits. You typed {count}.",
    },
    "lookup.number-letters": "A case number has only digits, 0 to 9.",
    "lookup.pin": "PIN",
    "lookup.pin-hint": "12 letters and digits, like K7QM‑2XRW‑9DHF",
    "lookup.pin-missing": "Type your PIN.",
    "lookup.pin-length": {
      by: "count",
      one: "A PIN has 12 letters and digits. You typed {count}.",
      other: "A PIN has 12 letters and digits. You typed {count}.",
    },
    "lookup.pin-letters": "A PIN never has 0, 1, I, L, O or U in it. Please check what you kept.",
    "lookup.show": "Show my case",
    "lookup.looking": "Looking…",
    "lookup.not-found": "We found no case with this number and PIN. Please check both.",
    "lookup.too-many": {
      by: "count",
      one: "Too many tries. Please wait {count} minute, then try again.",
      other: "Too many tries. Please wait {count} minutes, then try again.",
    },
    "lookup.lost": "Lost your PIN?",
    "lookup.lost-more":
      "No one can get it back, because we keep no name to ask for. The block still works without it.",

    "problem.offline": "No connection. Please check it and try again.",
    "problem.slow": "The answer took too long. Please try again.",
    "problem.busy": "Our side is busy. Please try again in a minute.",
    "problem.refused": "Something is wrong on our side. Please try again later.",

    "case.title": "Case {number}",
    "case.received": "We have the fingerprints of your pictures",
    "case.received-more": "Platforms get them within a few minutes. Those who run this page set the time.",
    "case.active": "Blocking is on",
    "case.active-more": "Platforms that have the fingerprints can now block these pictures.",
    "case.withdrawn": "You stopped the blocking",
    "case.expired": "This case has ended",
    "case.expired-more":
      "It ran out of time, and platforms were told to drop the fingerprints. You can start a new case.",
    "case.sent": "Sent on {date}.",
    "case.withdrawn-on": "Stopped on {date}. Platforms were told to drop the fingerprints.",
    "case.no-platform": "No platform has picked up all the fingerprints yet. This can take some time.",
    "case.platforms": {
      by: "count",
      one: "{count} platform has picked up all the fingerprints.",
      other: "{count} platforms have picked up all the fingerprints.",
    },
    "case.pictures": "Your pictures",
    "case.pictures-more": "We have no pictures to show you, just their fingerprints.",
    "case.picture": "Picture {number}",
    "case.not-blocked": "No platform has told us of a block so far.",
    "case.blocked": {
      by: "times",
      one: "Blocked {times} time, on {last}.",
      other: {
        by: "platforms",
        one: "Blocked {times} times on {platforms} platform. The last time was on {last}.",
        other: "Blocked {times} times on {platforms} platforms. The last time was on {last}.",
      },
    },
    "case.first": "The first time was on {first}.",
    "case.picture-withdrawn": "You stopped blocking this picture.",
    "case.refresh": "Refresh",
    "case.refreshed": "Up to date, {time}.",
    "case.add": "Add pictures",
    "case.added": {
      by: "count",
      one: "{count} picture was added to your case.",
      other: "{count} pictures were added to your case.",
    },
    "case.pending": {
      by: "count",
      one: "{count} upload waits for a person at a platform to look at it.",
      other: "{count} uploads wait for a person at a platform to look at them.",
    },
    "case.let-through": {
      by: "count",
      one: "A platform looked at {count} upload and let it through.",
      other: "Platforms looked at {count} uploads and let them through.",
    },
    "case.blocked-all": {
      by: "times",
      one: "Platforms have blocked {times} upload of these pictures so far.",
      other: "Platforms have blocked {times} uploads of these pictures so far.",
    },
    "case.expires": "This case ends by itself on {date}. Each picture that you add puts that off.",
    "case.expires-soon":
      "Your case ends soon, on {date}. Then the block ends too. To go on, add a picture or start a new case.",
    "case.closed": "This case takes no more pictures. You can start a new one.",
    "case.withdraw-one": "Stop blocking",
    "case.withdraw-one-label": "Stop blocking picture {number}",
    "case.withdraw": "Stop blocking all",
    "case.close": "Close and clear this page",

    "next.title": "What happens next",
    "next.wait": "You do not have to do anything. Platforms pick up the fingerprints by themselves.",
    "next.again": "Look at your case again in a few days, or whenever you worry.",
    "next.more": "Did you find another copy? Add it to your case.",
    "next.talk": "This can be a lot to carry. You can talk to someone.",

    "withdraw.title": "Stop blocking all pictures?",
    "withdraw.title-one": "Stop blocking picture {number}?",
    "withdraw.means":
      "We will tell the platforms to drop the fingerprints. Then they no longer block these pictures. This takes nothing down.",
    "withdraw.means-one":
      "We will tell the platforms to drop the fingerprints of this picture. Then they no longer block it. This takes nothing down. Your other pictures stay blocked.",
    "withdraw.others": "If someone else sent the same fingerprints, those still count.",
    "withdraw.time": "It may take some time until every platform has done it.",
    "withdraw.final": "You cannot undo this. You can still see the case with your number and PIN.",
    "withdraw.pressed":
      "Is someone making you do this? You do not have to. You can leave this page now and get help first.",
    "withdraw.yes": "Yes, stop blocking",
    "withdraw.no": "No, keep blocking",
    "withdraw.working": "Stopping…",
    "withdraw.done": "The blocking has been stopped.",
    "withdraw.done-one": "Picture {number} is no longer blocked.",

    "posted.title": "If it is already posted",
    "posted.lead":
      "We cannot take it down, but others can. Here is what helps. Start with the one that feels easiest.",
    "posted.links": "A link is enough. Please do not save, share or send the picture to prove it.",
    "posted.tipline": "First: tell the CyberTipline",
    "posted.tipline-more":
      "It is run by NCMEC, a group that helps children. They can ask sites to take the picture down. You do not have to give your name.",
    "posted.report": "Report it to the app or site",
    "posted.report-more": "Choose where it is posted. We show you where to report it and what you can write.",
    "posted.other": "Another app or site",
    "posted.law": "Use the 48-hour rule",
    "posted.law-more":
      "A law in the United States (TAKE IT DOWN Act, 47 U.S.C. 223a) lets you send a platform a notice. It must then take the picture down within 48 hours. We help you write it.",
    "posted.law-start": "Write a notice",
    "posted.country": "Help where you live",
    "posted.future": "You can still use this page to block it from being posted again.",
    "posted.block": "Block new copies",

    "platform.title": "Report it to {name}",
    "platform.title-other": "Report it to an app or site",
    "platform.lead": "You do not need to open the picture again. A link or a user name is enough.",
    "platform.page": "Open the report page of {name}",
    "platform.mail": "Write to {mail}",
    "platform.app": "You report this in the app itself.",
    "platform.no-account": "You do not need an account for this page.",
    "platform.us": "This page is for the 48-hour rule of the United States.",
    "platform.how": "How to report it",
    "platform.find":
      "Find the post, the chat or the account. Open its menu. It is often three dots, or a flag.",
    "platform.report": "Press “Report”. Choose nudity, or that it shows someone under 18.",
    "platform.report-adult": "Press “Report”. Choose nudity, or that it was shared without your consent.",
    "platform.link": "If they ask where it is, give the link. “Share” and then “Copy link” gets it for you.",
    "platform.contact":
      "Is there no “Report”? Look at the bottom of the site for “Contact”, “Abuse” or “Safety”.",
    "platform.again":
      "Write down the day you reported it. If no one answers in two days, report it again, or send a 48-hour notice.",
    "platform.write": "What you can write",
    "platform.text-minor":
      "This is a sexual picture of me. I was under 18 when it was made. I did not agree to this. Please take it down, remove every copy, and block new ones.",
    "platform.text-child":
      "This is a sexual picture of my child, who is under 18. No one agreed to this. Please take it down, remove every copy, and block new ones.",
    "platform.text-helper":
      "This is a sexual picture of someone who was under 18 when it was made. They did not agree to this. Please take it down, remove every copy, and block new ones.",
    "platform.text-adult":
      "This is a sexual picture of me. I did not agree to this. Please take it down, remove every copy, and block new ones.",
    "platform.copy": "Copy these words",
    "platform.copied": "Copied.",
    "platform.copy-failed": "Copying did not work. Select the words and copy them by hand.",
    "platform.others": "Choose another app or site",

    "notice.title": "Write a notice under the 48-hour rule",
    "notice.lead":
      "Fill this in once. We make one notice for each platform. The notice is in English, as the law is from the United States.",
    "notice.private": "All that you type stays on this device. We never get it.",
    "notice.names":
      "The platform will see the name and the contact that you give. Do you want no one to know your name? Then tell the CyberTipline instead.",
    "notice.not-needed": "You do not need to show ID, swear an oath, have an account or send the picture.",
    "notice.advice": "This is not legal advice. A help line can look at it with you.",
    "notice.who": "Who do you write for?",
    "notice.who-me": "For myself",
    "notice.who-child": "For my child. I am a parent or guardian.",
    "notice.who-other": "For someone who asked me to",
    "notice.who-missing": "Choose who you write for.",
    "notice.where": "Where is the picture?",
    "notice.platform": "App or site",
    "notice.platform-choose": "Choose one",
    "notice.platform-other": "Another one",
    "notice.platform-name": "Name of the app or site",
    "notice.platform-missing": "Say which app or site this is for.",
    "notice.links": "Links to the picture",
    "notice.links-hint": "One link on each line.",
    "notice.find": "Or how to find it",
    "notice.find-hint": "For example the user name, the day, or what the post says.",
    "notice.find-missing": "Give a link, or say how to find the picture.",
    "notice.link-wrong": "This does not look like a link.",
    "notice.more": "Add another app or site",
    "notice.less": "Take this one out",
    "notice.reasons": "Why was it wrong to share it?",
    "notice.reason-minor": "The person in it was under 18.",
    "notice.reason-never": "The person in it never agreed to share it.",
    "notice.reason-fake": "It is fake. It was made or changed with AI.",
    "notice.reason-missing": "Choose at least one reason.",
    "notice.words": "In your own words, if you like",
    "notice.words-hint":
      "You do not have to. One or two lines are enough. English is best. Other words go out as you write them.",
    "notice.faith": "I believe in good faith that the person in it did not agree to this.",
    "notice.faith-missing": "Tick this box. The law asks for it.",
    "notice.contact": "How can they reach you?",
    "notice.contact-hint": "One is enough. You can make a new e-mail address just for this.",
    "notice.email": "E-mail",
    "notice.phone": "Phone",
    "notice.contact-missing": "Give an e-mail address or a phone number.",
    "notice.email-wrong": "This does not look like an e-mail address.",
    "notice.phone-wrong": "This does not look like a phone number.",
    "notice.sign": "Sign by typing your name",
    "notice.sign-hint": "Your typed name counts as your signature.",
    "notice.sign-missing": "Type your name to sign.",
    "notice.missing": {
      by: "count",
      one: "{count} thing is missing. Without it a platform may say no.",
      other: "{count} things are missing. Without them a platform may say no.",
    },
    "notice.make": "Make the notice",

    "letter.title": {
      by: "count",
      one: "Your notice is ready",
      other: "Your {count} notices are ready",
    },
    "letter.lead":
      "Send each one to its platform. Its own report page is best. Keep a copy, and the answer that you get.",
    "letter.for": "The notice for {name}",
    "letter.copy": "Copy it",
    "letter.print": "Print it or save it as PDF",
    "letter.text": "Save it as text",
    "letter.mail": "Write an e-mail",
    "letter.attach": "This letter is too long for an e-mail draft. Save it as text and attach the file.",
    "letter.copied": "Copied.",
    "letter.copy-failed": "Copying did not work. Select the words and copy them by hand.",
    "letter.sent": "I have sent it",
    "letter.deadline": "It must be gone by {date}. That is 48 hours after you sent it.",
    "letter.before": "The 48 hours start when the platform gets it. Press this when you have sent it.",
    "letter.when": "When did you send it?",
    "letter.when-wrong": "Choose a time that has passed.",
    "letter.reminder": "Save a reminder for your calendar",
    "letter.reminder-more": "The reminder does not say what it is for.",
    "letter.late": "If it is still there after 48 hours",
    "letter.late-more": "Send this second letter. Then tell the FTC, the office that watches over this law.",
    "letter.second": "The second letter for {name}",
    "letter.ftc": "Tell the FTC",
    "letter.change": "Change my answers",
    "letter.forget": "This page forgets the notices when you close it.",

    "urgent.title": "If someone makes threats",
    "urgent.lead":
      "Take a slow breath. This is not your fault. It happens to many people, and it can get better.",
    "urgent.ten": "The next ten minutes",
    "urgent.pay": "Do not pay. Do not send more.",
    "urgent.pay-more": "It most often makes them ask again. Did you pay or send already? You can stop now.",
    "urgent.answer": "Stop answering.",
    "urgent.answer-more": "You owe them nothing. You do not have to explain.",
    "urgent.keep": "Keep what they wrote.",
    "urgent.keep-more":
      "Do not delete the chat. Note their user name. Their words can help to stop them. Do not copy the sexual pictures.",
    "urgent.report": "Report them, then block them.",
    "urgent.report-more":
      "The app has a menu for both. Choose threats or blackmail, and say that it is about a sexual picture.",
    "urgent.tell": "Tell one adult you trust.",
    "urgent.tell-more": "You can just say: “Someone is threatening me online and I need help.”",
    "urgent.block": "Block the picture.",
    "urgent.block-more": "You can do that here, before it is posted. It takes a few minutes.",
    "urgent.start": "Block the picture now",
    "urgent.danger": "Is anyone in danger right now? Call {number}.",
    "urgent.danger-any":
      "Is anyone in danger right now? Call the police or the emergency number of your country.",
    "urgent.feel": "If it all feels too much, you do not have to hold on alone. People are there to listen.",
    "urgent.lines": "Talk to someone now",
    "urgent.child":
      "Is it about your child? Stay calm with them. Tell them that it is not their fault, and that you will get through it as a team.",

    "lines.title": "Help lines",
    "lines.lead": "Talking can help. You can ask them anything, and you do not have to say your name.",
    "lines.country": "Your country",
    "lines.choose": "Choose your country",
    "lines.elsewhere": "Another country",
    "lines.private":
      "We guess the country from the settings of this device. That stays here too. Choose another one if it is wrong.",
    "lines.checked": "We checked these in {date}. Numbers can change.",

    "line.talk": "For young people who want to talk to someone.",
    "line.crisis": "Day and night, if it all feels too much.",
    "line.report": "Report a sexual picture of someone under 18, or threats.",
    "line.remove": "Helps to get a picture taken down.",
    "line.police": "The police for such pictures and threats.",
    "line.parents": "For parents and others who want to help.",
    "line.find": "Find the place to report in your country.",
    "line.find-talk": "Find someone to talk to in your country.",
    "line.same": "Works like this page, with other platforms. You can use both.",
    "line.adults": "For pictures of people who were 18 or over.",
    "line.call": "Call {number}",
    "line.text": "Text {word} to {number}",
    "line.text-any": "Text {number}",
    "line.anywhere": "Anywhere",

    "how.title": "How it works, and how to check us",
    "how.hash": "What is a picture’s fingerprint?",
    "how.hash-more":
      "A line of letters and numbers made from a picture, also called a hash. We make a few kinds. Some stay almost the same when a picture is made smaller or saved again. The others spot exact copies.",
    "how.back": "Can a fingerprint be turned back?",
    "how.back-more":
      "You cannot open a fingerprint as a picture. In some tests, AI made rough guesses from one kind, called PDQ. So we treat them as private: only platforms with a key get them.",
    "how.sealed": "Where does my picture go?",
    "how.sealed-more":
      "Into a sealed part of this page, on your device. That part has no way out to the network. All it gives back is the fingerprint.",
    "how.exits": {
      by: "count",
      one: "We tried {count} way out of it in three kinds of browsers. It failed:",
      other: "We tried {count} ways out of it in three kinds of browsers. Every one of them failed:",
    },
    "how.keep": "What do you keep?",
    "how.keep-more":
      "The fingerprints, the time, and a scrambled form of your PIN. No name, no e-mail, no network address, no picture.",
    "how.platforms": "What does a platform get?",
    "how.platforms-more":
      "The fingerprints, mixed up in their order. It does not get your case number, and it cannot tell who sent them.",
    "how.operator": "Who runs this page?",
    "how.operator-more":
      "A group that we call the operator. Some of what we say here is up to them: that no network address is written down, how fast platforms get the fingerprints, and how long a case lasts.",
    "how.check": "How can I check that?",
    "how.check-offline":
      "Wait until your device is ready. Then turn off your network. Making the fingerprints still works.",
    "how.check-message": "Before you send, look at the exact message. It is all there is.",
    "how.check-files": "Each file of this page is in a public list with its own SHA-256. Anyone can compare.",
    "how.check-build":
      "Anyone who can write programs can build this page from its source. The same source gives the same list, letter for letter. If it does not, do not trust the page.",
    "how.check-read": "Nothing in the files is scrambled. Your browser can show you each of them.",
    "how.files": "See the list of files",
    "how.source": "Download the source of this page",
    "how.licences": "See whose work is in it",
    "how.leave": "What “Leave quickly” cannot do",
    "how.leave-more":
      "It hides this page at once and forgets what you did here. It cannot clear your browser’s history, or hide it from someone who watches your network.",

    "faq.title": "Questions and answers",
    "faq.see": "Will anyone see my picture?",
    "faq.see-more": "No. It stays on your device. We only get fingerprints of the picture.",
    "faq.told": "Will you tell my parents or the police?",
    "faq.told-more": "No. We do not know who you are, so there is no one we could tell.",
    "faq.trouble": "Can I get in trouble?",
    "faq.trouble-more":
      "Not with us. We are here to help you, and we report no one. Laws are not the same in each country. A help line can tell you about yours.",
    "faq.cost": "What does it cost?",
    "faq.cost-more": "Nothing.",
    "faq.where": "Where does it work?",
    "faq.where-more":
      "On platforms that take part here. Your case shows how many have the fingerprints. Take It Down does the same with other platforms, so you can use both.",
    "faq.long": "How long does it take?",
    "faq.long-more":
      "Making the fingerprints takes seconds. Then each platform picks them up in its own time. Your case shows how many have done so.",
    "faq.copies": "Does it stop changed copies?",
    "faq.copies-more":
      "Often. It finds copies that are smaller, saved again, turned or flipped. A crop, a frame or text over it can hide a copy. If you have such a copy, add it too.",
    "faq.fake": "It is a fake, made with AI. Does that count?",
    "faq.fake-more": "Yes. It hurts just the same, and you can block it here.",
    "faq.older": "I am over 18 now. May I use this?",
    "faq.older-more": "Yes, for pictures from when you were under 18.",
    "faq.own": "What if I post the picture myself later?",
    "faq.own-more": "A platform may block it, and may act on your account.",
    "faq.keep": "Do I have to keep the picture?",
    "faq.keep-more":
      "Not for us. Take It Down also works from the picture on your device. To use it too, do that before you delete the picture. If the police are helping you, ask them first.",
    "faq.pin": "I lost my PIN. What now?",
    "faq.pin-more": "The block still works. But no one can open that case any more. You can start a new one.",
    "faq.back": "Can I change my mind?",
    "faq.back-more": "Yes. With your case number and PIN you can stop blocking one picture or all of them.",

    "unsupported.title": "This browser cannot do it",
    "unsupported.lead":
      "It is too old, or a setting turns off what we need. A newer Chrome, Firefox, Safari or Edge will work. These people can help you either way.",
  },
};
