/*
 * The order of the log: writers, the agents that move the mark, and a reader. README.md tells what stands for what.
 *
 * Without switches this is the design, with four transactions, one agent and one reader. Scenarios:
 *
 *   SMALL, DOUBLE, PAIR   fewer transactions, see below
 *   AGENTS, TERMS, DEATHS how many agents, how often the lease runs out, how often an agent dies
 *   RESTARTS              how often the server restarts; with CRASH it loses what it had not flushed, and with LAZY
 *                         commits do not wait for that
 *   PREPARES              the number of the transaction that may be prepared
 *   STUCK                 T0 locks its stream and stays open
 *   STANDBY               the reader reads from a standby
 *   SCAN                  H is not read in one step, but transaction by transaction
 *   AT_ONCE               a page is read and its cursor saved in one step
 *   SHORTEST              for a breadth-first search
 *
 * All other switches are what README.md tries instead of the design.
 */

/* Transactions are numbered from 0. Bit t of STREAMS: whether t writes to stream B, not A; bit t of DOUBLES: whether it
   writes two events. Session s runs the transactions from first(s) on, one after the other. MAX is the last position. */
#ifdef PAIR
/* T0 writes two events to stream A, T1 one to stream B. */
#define TXS 2
#define STREAMS 2
#define DOUBLES 1
#define SESSIONS 2
#define first(s) (s)
#define MAX 3
#elif defined(SMALL)
/* T0 and T1 write to stream A, T2 to stream B; each has a session of its own. */
#define TXS 3
#define STREAMS 4
#define SESSIONS 3
#define first(s) (s)
#ifdef DOUBLE
#define DOUBLES 1
#define MAX 4
#else
#define DOUBLES 0
#define MAX 3
#endif
#else
/* T0 and T1 write to stream A, T2 and T3 to stream B; T1 and T2 have the same session. T0 writes two events. */
#define TXS 4
#define STREAMS 12
#define DOUBLES 1
#define SESSIONS 3
#define first(s) ((s) == 0 -> 0 : ((s) == 1 -> 1 : ((s) == 2 -> 3 : 4)))
#ifdef CACHED
#define MAX 8
#else
#define MAX 5
#endif
#endif

#ifndef AGENTS
#define AGENTS 1
#endif
#ifndef TERMS
#define TERMS 1
#endif
#ifndef DEATHS
#define DEATHS 0
#endif
#ifndef RESTARTS
#define RESTARTS 0
#endif
#ifndef PREPARES
#define PREPARES 99
#endif

#define streamOf(t) ((STREAMS >> (t)) & 1)
#define isDouble(t) ((DOUBLES >> (t)) & 1)

/* Positions from 1, and sets of them as bits. */
#define bit(p) (1 << ((p) - 1))
#define upTo(p) ((1 << (p)) - 1)
#define lowest(m) ((m) & (-(m)))
#define several(m) (((m) & ((m) - 1)) != 0)

/* Where a transaction is. */
#define IDLE 0
#define WAITING 1   /* holds the lock of the insert and waits for the row of its stream: only with ROW_LAST */
#define ROW 2       /* holds the row of its stream */
#define INSERTING 3 /* holds the lock of the insert as well, and draws positions */
#define PREPARED 4
#define LOGGED 5    /* its commit record is written */
#define ENDED 6     /* visible or rolled back, its locks not yet released */
#define DONE 7

/* Names under which the holders of the lock show, as bits. Only one transaction is ever prepared: it has two more. */
#define nameOf(t) (1 << (t))
#define PREPARED_NAME 64
#define RESTARTED_NAME 128
#define OPEN 256    /* marks a fence as open, whatever its members */

#define require(condition, text) if :: (condition) :: else -> printf(text); assert(false) fi
#define MISSED "| WRONG: an event appears at or below a cursor that has passed it\n"
#define LEFT_OUT "| WRONG: the cursor passes a visible event that was not delivered\n"
#define TWICE "| WRONG: an event is delivered twice\n"
#define DISORDER "| WRONG: an event is delivered after one of a higher position\n"
#define VERSIONS "| WRONG: within one stream positions do not follow versions\n"
#define BACKWARDS "| WRONG: the mark goes back\n"

/* The server. */
byte seq         /* the last position drawn */
byte mark
byte term
byte restarts    /* each begins another epoch */
byte row[2]      /* who holds the row of the stream: number of the transaction + 1 */
byte state[TXS]
byte drawn[TXS]
byte events[2]   /* the visible positions of each stream */
short holders    /* who holds the lock of the insert, by name */
short ending     /* who has ended and still holds it */
short preparedAs /* the name of the prepared transaction */
#define visible (events[0] | events[1])

#ifdef CRASH
/* What of it is on disk. */
byte flushedSeq
byte flushedMark
byte unflushed /* transactions whose commit records are not */
#endif

/* The agents. */
#define NOTHING 15
bit leads[AGENTS]
byte myTerm[AGENTS]
byte myEpoch[AGENTS]
byte last[AGENTS]         /* L */
byte seen[AGENTS]         /* the L of the last look */
short fence[AGENTS * MAX] /* by L: OPEN and its members */
short watched[AGENTS]     /* the members of all fences */
bit hasEmpty[AGENTS]      /* whether one has no members left */
byte settled[AGENTS]      /* what the mark is to be moved to */
byte deaths
#ifdef H_FIRST
short before[AGENTS]
#endif
#ifdef SCAN
byte scanned[AGENTS]      /* the transactions that were looked at: bit t + 1, and bit 0 while it reads */
short foundSoFar[AGENTS]
#define isScanning(i) (scanned[i] != 0)
#else
#define isScanning(i) false
#endif
#define fenceOf(i, p) fence[(i) * MAX + (p) - 1]

/* The reader. */
byte cursor
byte delivered
byte page
byte pageCursor
bit holdsPage

/* What it can read, and up to where. */
#ifdef STANDBY
/* The log that the standby replays: transaction t as t, a mark as 16 + mark. */
chan wal = [12] of { byte }
byte standbyEvents
byte standbyMark
#define readable standbyEvents
#else
#define readable visible
#endif
#ifdef COMMITTED
#define readableTo (visible >= 4 -> 3 : visible)
#elif defined(STANDBY) && !defined(MARK_BESIDE)
#define readableTo standbyMark
#else
#define readableTo mark
#endif

/* Used within one step and 0 after it. */
#ifdef SHORTEST
#define scratch
#else
#define scratch hidden
#endif
scratch byte k
scratch byte newest
scratch byte safe
scratch byte n
scratch short h
#define wipe() k = 0; newest = 0; safe = 0; n = 0; h = 0

/* ---- Writers ---- */

#ifdef STUCK
#define isStuck(t) ((t) == 0)
#define canFinish(t) (streamOf(t) != streamOf(0))
#else
#define isStuck(t) false
#define canFinish(t) true
#endif

#define complete(t) (drawn[t] != 0 && (!isDouble(t) || several(drawn[t])))

inline freeRow(t) {
  if
  :: row[streamOf(t)] == t + 1 -> row[streamOf(t)] = 0
  :: else
  fi
}

inline appear(t) {
#ifndef STANDBY
  require((drawn[t] & upTo(cursor)) == 0, MISSED)
#endif
  require(lowest(drawn[t]) > events[streamOf(t)], VERSIONS)
  events[streamOf(t)] = events[streamOf(t)] | drawn[t]
}

inline flush() {
#ifdef CRASH
  flushedSeq = seq; flushedMark = mark; unflushed = 0
#else
  skip
#endif
}

inline nameNow(t) {
  h = (t == PREPARES && preparedAs != 0 -> preparedAs : nameOf(t))
}

/* Where nobody asks for them any more, the positions of a transaction are no part of the state. */
inline forgetDrawn(t) {
#if defined(STANDBY) || defined(LAZY)
  skip
#else
  drawn[t] = 0
#endif
}

#ifdef DRAW_FIRST
#define mayDraw(t) (state[t] == ROW && !complete(t))
#define mayInsert(t) (state[t] == ROW && complete(t))
#else
#define mayDraw(t) (state[t] == INSERTING && !complete(t))
#define mayInsert(t) (state[t] == ROW)
#endif

proctype Session(byte t; byte final) {
#ifdef CACHED
  byte cached
#endif
end:
  do
#ifdef ROW_LAST
  :: d_step { state[t] == IDLE && !isStuck(t) ->
      state[t] = WAITING; holders = holders | nameOf(t); printf("| T%d takes the lock of the insert\n", t) }
  :: d_step { (state[t] == WAITING || (state[t] == IDLE && isStuck(t))) && row[streamOf(t)] == 0 ->
      row[streamOf(t)] = t + 1; state[t] = (isStuck(t) -> ROW : INSERTING);
      printf("| T%d locks the row of stream %c\n", t, 65 + streamOf(t)) }
#else
  :: d_step { state[t] == IDLE && row[streamOf(t)] == 0 ->
      row[streamOf(t)] = t + 1; state[t] = ROW; printf("| T%d locks the row of stream %c\n", t, 65 + streamOf(t)) }
  :: d_step { mayInsert(t) && !isStuck(t) ->
      state[t] = INSERTING; holders = holders | nameOf(t); printf("| T%d takes the lock of the insert\n", t) }
#endif
#ifdef CACHED
  :: d_step { mayDraw(t) && cached == 0 ->
      seq = seq + 2; cached = seq; drawn[t] = drawn[t] | bit(seq - 1);
      printf("| T%d draws %d and its session keeps %d\n", t, seq - 1, seq) }
  :: d_step { mayDraw(t) && cached != 0 ->
      drawn[t] = drawn[t] | bit(cached); printf("| T%d takes %d, kept by its session\n", t, cached); cached = 0 }
#else
  :: d_step { mayDraw(t) ->
      seq++; drawn[t] = drawn[t] | bit(seq); printf("| T%d draws %d\n", t, seq) }
#endif
  :: d_step { state[t] == INSERTING && t == PREPARES && complete(t) ->
      state[t] = PREPARED;
#ifdef PROCESS_NAMES
      preparedAs = PREPARED_NAME;
#else
      preparedAs = nameOf(t);
#endif
      holders = (holders & ~nameOf(t)) | preparedAs;
      flush();
      printf("| T%d is prepared\n", t) }
  :: d_step { (state[t] == INSERTING || state[t] == PREPARED) && complete(t) ->
      state[t] = LOGGED;
#ifdef LAZY
      unflushed = unflushed | nameOf(t);
#else
      flush();
#endif
#ifdef STANDBY
      wal!t;
#endif
#ifdef RELEASE_FIRST
      nameNow(t);
      holders = holders & ~h;
      printf("| T%d writes its commit record and releases the lock of the insert\n", t);
      wipe() }
#else
      printf("| T%d writes its commit record\n", t) }
#endif
  :: d_step { state[t] == INSERTING || state[t] == PREPARED ->
      nameNow(t);
      holders = holders & ~h; ending = ending | h;
      state[t] = ENDED; drawn[t] = 0; printf("| T%d rolls back\n", t);
      wipe() }
  :: d_step { state[t] == LOGGED ->
      appear(t);
      nameNow(t);
      holders = holders & ~h; ending = ending | h;
      state[t] = ENDED; forgetDrawn(t); printf("| T%d becomes visible\n", t);
      wipe() }
  :: d_step { state[t] == ENDED ->
      nameNow(t);
      ending = ending & ~h;
      freeRow(t);
      state[t] = DONE; t = (t < final -> t + 1 : t);
      wipe() }
  :: d_step { state[t] == DONE && t < final -> t++ }
  od
}

/* ---- A server that stops and starts again ---- */

#ifdef LAZY
inline lose(t) {
  if
  :: t >= TXS
  :: else ->
    if
    :: unflushed & nameOf(t) -> events[streamOf(t)] = events[streamOf(t)] & ~drawn[t]; drawn[t] = 0
    :: else
    fi
  fi
}
#endif

inline kill(t) {
  if
  :: t >= TXS
  :: else ->
    if
    :: state[t] == IDLE || state[t] == DONE
    :: state[t] == PREPARED ->
      preparedAs = RESTARTED_NAME; holders = holders | RESTARTED_NAME
    :: else ->
      if
#ifdef LAZY
      :: state[t] == LOGGED && (unflushed & nameOf(t)) == 0 -> appear(t)
#else
      :: state[t] == LOGGED -> appear(t)
#endif
      :: else
      fi;
      freeRow(t);
      drawn[t] = 0; state[t] = DONE
    fi
  fi
}

#if RESTARTS > 0
proctype Server() {
end:
  do
#ifdef CRASH
  :: d_step { flushedSeq != seq || flushedMark != mark || unflushed != 0 -> flush(); printf("| the log is flushed\n") }
#endif
  :: d_step { restarts < RESTARTS ->
      restarts++; holders = 0; ending = 0;
      printf("| the server restarts");
#ifdef CRASH
      if
      :: flushedSeq != seq || flushedMark != mark ->
        printf(": the sequence is at %d, the mark at %d", flushedSeq, flushedMark)
      :: else
      fi;
      seq = flushedSeq; mark = flushedMark;
#endif
      printf("\n");
#ifdef LAZY
      lose(0); lose(1); lose(2); lose(3);
#endif
      kill(0); kill(1); kill(2); kill(3);
#ifdef CRASH
      unflushed = 0;
#endif
      for (k : 0 .. AGENTS - 1) { last[k] = NOTHING };
      wipe() }
  od
}
#endif

/* ---- Agents ---- */

/* Holders under whose name no member of an older fence can be known again keep all fences open. */
#ifdef RESTARTED_FORGOTTEN
#define keepsAll(h) false
#elif defined(PREPARED_KEEP)
#define keepsAll(h) (((h) & (PREPARED_NAME | RESTARTED_NAME)) != 0)
#else
#define keepsAll(h) (((h) & RESTARTED_NAME) != 0)
#endif

inline forget(i) {
  for (k : 1 .. MAX) { fenceOf(i, k) = 0 }
  watched[i] = 0; hasEmpty[i] = 0;
  last[i] = NOTHING; seen[i] = 0
}

/* Whether a look would tell the agent anything: without this it would look for ever, and nothing would change. */
#define tells(i, h) (last[i] != NOTHING && (last[i] != seen[i] || (watched[i] != 0 && \
  ((h) == 0 || (watched[i] & ~(OPEN | (h))) != 0 || (hasEmpty[i] && !keepsAll(h))))))

inline printHolders(h) {
  printf("{");
  for (k : 0 .. TXS - 1) {
    if
    :: (h) & nameOf(k) -> printf(" T%d", k)
    :: else
    fi
  };
  if
  :: (h) & PREPARED_NAME -> printf(" T%d as prepared", PREPARES)
  :: (h) & RESTARTED_NAME -> printf(" T%d under its name since the restart", PREPARES)
  :: else
  fi;
  printf(" }")
}

/* Judges all open fences by what was seen, and opens a new one when positions were drawn since the newest. */
inline judge(i, h) {
  printf("| agent %d with L = %d reads H = ", i, last[i]);
  printHolders(h);
  safe = 0; newest = 0;
  if
  :: (h) == 0 ->
    safe = last[i];
    for (k : 1 .. MAX) { fenceOf(i, k) = 0 }
  :: else ->
    for (k : 1 .. MAX) {
      if
      :: fenceOf(i, k) != 0 ->
        fenceOf(i, k) = fenceOf(i, k) & ((h) | OPEN);
        newest = k;
        if
        :: fenceOf(i, k) == OPEN && !keepsAll(h) -> safe = k
        :: else
        fi
      :: else
      fi
    };
    for (k : 1 .. MAX) {
      if
      :: k <= safe -> fenceOf(i, k) = 0
      :: else
      fi
    };
    if
    :: last[i] > newest -> fenceOf(i, last[i]) = (h) | OPEN
    :: else
    fi
  fi;
  watched[i] = 0; hasEmpty[i] = 0;
  for (k : 1 .. MAX) {
    watched[i] = watched[i] | fenceOf(i, k);
    if
    :: fenceOf(i, k) == OPEN -> hasEmpty[i] = 1
    :: else
    fi
  };
  seen[i] = last[i];
  if
  :: safe > mark -> settled[i] = safe; printf(": %d is settled\n", safe)
  :: else -> printf("\n")
  fi
}

/* What lets the mark move, besides that it moves up. */
#ifdef NO_TERM
#define isTermOf(i) true
#else
#define isTermOf(i) (myTerm[i] == term)
#endif
#ifdef ANY_EPOCH
#define isEpochOf(i) true
#else
#define isEpochOf(i) (myEpoch[i] == restarts)
#endif
#ifdef MARK_BACK
#define isAbove(i) (settled[i] != mark)
#else
#define isAbove(i) (settled[i] > mark)
#endif

inline advance(i) {
  if
  :: isTermOf(i) && isEpochOf(i) && isAbove(i) && settled[i] <= seq ->
    require(settled[i] > mark, BACKWARDS);
    mark = settled[i];
#ifdef MARK_UNFLUSHED
    skip;
#elif defined(MARK_BEHIND)
    if
    :: flushedSeq == seq && unflushed == 0
    :: else -> flush()
    fi;
#else
    flush();
#endif
#ifdef STANDBY
    wal!(16 + mark);
#endif
    printf("| agent %d moves the mark to %d\n", i, mark)
  :: else ->
    printf("| agent %d may not move the mark to %d\n", i, settled[i]);
    if
    :: !isTermOf(i) ->
      leads[i] = 0;
#ifndef KEEP_SEEN
      forget(i)
#endif
    :: isTermOf(i) && mark < settled[i] -> forget(i)
    :: else
    fi
  fi;
  settled[i] = 0
}

#if AGENTS == 1
#define nobodyLeads (!leads[0])
#else
#define nobodyLeads (!leads[0] && !leads[1])
#endif

/* With the lock of a transaction its name is read. */
#define scan(i, t) \
  :: d_step { scanned[i] != 0 && (scanned[i] & (2 << t)) == 0 -> \
      scanned[i] = scanned[i] | (2 << t); foundSoFar[i] = foundSoFar[i] | (holders & nameOf(t)); \
      printf("| agent %d looks for T%d\n", i, t) }

proctype Agent(byte i) {
end:
  do
  /* A lease may run out at any time; while somebody leads, that happens so often. */
  :: d_step { !leads[i] && settled[i] == 0 && (term > 0 || i == 0) && (term < TERMS || nobodyLeads) ->
      term++; leads[i] = 1; myTerm[i] = term; printf("| agent %d leads by term %d\n", i, term) }
#ifndef NO_TERM
  :: d_step { leads[i] && settled[i] == 0 && !isTermOf(i) ->
      leads[i] = 0; printf("| agent %d learns that it does not lead\n", i) }
#endif
#ifdef H_FIRST
  :: d_step { leads[i] && settled[i] == 0 && before[i] == 0 && last[i] != seq ->
      before[i] = holders | OPEN; printf("| agent %d reads H = ", i); printHolders(holders); printf("\n");
      wipe() }
  :: d_step { leads[i] && settled[i] == 0 && before[i] != 0 ->
      last[i] = seq; h = before[i] & ~OPEN; before[i] = 0; judge(i, h); wipe() }
#else
  :: d_step { leads[i] && settled[i] == 0 && !isScanning(i) && (last[i] != seq || !isEpochOf(i)) ->
      if
      :: !isEpochOf(i) -> forget(i); myEpoch[i] = restarts
      :: else
      fi;
      last[i] = seq; printf("| agent %d reads L = %d\n", i, seq);
      wipe() }
#ifdef AHEAD
  /* What somebody who is drawing has put there for a moment: more than is drawn. */
  :: d_step { leads[i] && settled[i] == 0 && last[i] != seq + 2 && seq + 2 <= MAX &&
        (mayDraw(0) || mayDraw(1) || mayDraw(2)) ->
      last[i] = seq + 2; printf("| agent %d reads L = %d, ahead of what is drawn\n", i, seq + 2) }
#endif
#endif
#ifdef SCAN
  :: d_step { leads[i] && settled[i] == 0 && !isScanning(i) && last[i] != NOTHING &&
        (last[i] != seen[i] || watched[i] != 0) ->
      scanned[i] = 1; printf("| agent %d begins to read H\n", i) }
  scan(i, 0)
  scan(i, 1)
  scan(i, 2)
  :: d_step { scanned[i] == 15 ->
      h = foundSoFar[i]; scanned[i] = 0; foundSoFar[i] = 0; judge(i, h); wipe() }
#else
  :: d_step { leads[i] && settled[i] == 0 && tells(i, holders) ->
      judge(i, holders); wipe() }
  :: d_step { leads[i] && settled[i] == 0 && ending != 0 && tells(i, (holders | ending)) ->
      h = holders | ending; judge(i, h); wipe() }
#endif
  :: d_step { settled[i] != 0 -> advance(i); wipe() }
#if DEATHS > 0
  :: d_step { leads[i] && deaths < DEATHS ->
      deaths++; leads[i] = 0; settled[i] = 0; forget(i); printf("| agent %d dies\n", i);
      wipe() }
#endif
  od
}

/* ---- The standby ---- */

#ifdef STANDBY
proctype Standby() {
  byte record
end:
  do
  :: d_step { wal?record ->
      if
      :: record < 16 ->
        printf("| the standby replays the commit of T%d\n", record);
        require((drawn[record] & upTo(cursor)) == 0, MISSED);
        standbyEvents = standbyEvents | drawn[record]
      :: else -> standbyMark = record - 16; printf("| the standby replays the mark %d\n", standbyMark)
      fi }
  od
}
#endif

/* ---- The reader ---- */

#define isOver(t) (t >= TXS || state[t] == DONE || !canFinish(t))
#define allOver (isOver(0) && isOver(1) && isOver(2) && isOver(3))

inline printPage() {
  printf(": events {");
  for (k : 1 .. MAX) {
    if
    :: page & bit(k) -> printf(" %d", k)
    :: else
    fi
  };
  printf(" }\n")
}

inline save() {
  printf("| the cursor moves to %d\n", pageCursor);
  require((page & delivered) == 0, TWICE);
  require(page == 0 || lowest(page) > delivered, DISORDER);
  delivered = delivered | page; cursor = pageCursor;
  require((readable & upTo(cursor) & ~delivered) == 0, LEFT_OUT);
  page = 0; pageCursor = 0; holdsPage = 0
}

inline atOnce() {
#ifdef AT_ONCE
  save()
#else
  skip
#endif
}

proctype Reader() {
  do
#ifdef TWO_SNAPSHOTS
  :: d_step { !holdsPage && pageCursor == 0 && cursor < MAX ->
      page = readable & ~upTo(cursor); pageCursor = NOTHING; printf("| the reader reads its page"); printPage();
      wipe() }
  :: d_step { pageCursor == NOTHING && readableTo > cursor ->
      page = page & upTo(readableTo); pageCursor = readableTo; holdsPage = 1;
      printf("| the reader reads the mark %d\n", readableTo) }
#else
  :: d_step { !holdsPage && readableTo > cursor ->
      page = readable & upTo(readableTo) & ~upTo(cursor); pageCursor = readableTo; holdsPage = 1;
      printf("| the reader reads up to %d", pageCursor); printPage();
      atOnce(); wipe() }
  /* A page that is full ends with its last event. */
  :: d_step { !holdsPage && readableTo > cursor && several(readable & upTo(readableTo) & ~upTo(cursor)) ->
      page = lowest(readable & ~upTo(cursor)); holdsPage = 1;
      pageCursor = 1;
      for (k : 1 .. MAX) {
        if
        :: page == bit(k) -> pageCursor = k
        :: else
        fi
      };
      printf("| the reader reads one event, up to %d", pageCursor); printPage();
      atOnce(); wipe() }
#endif
  :: d_step { holdsPage -> save() }
  /* It may stop only when everything that can become visible has, and was delivered. */
  :: allOver && !holdsPage && (visible & ~delivered) == 0 -> break
  od
}

init {
  atomic {
    for (n : 0 .. SESSIONS - 1) { run Session(first(n), first(n + 1) - 1) }
    for (n : 0 .. AGENTS - 1) { run Agent(n) }
    wipe();
    run Reader();
#if RESTARTS > 0
    run Server();
#endif
#ifdef STANDBY
    run Standby();
#endif
  }
}
