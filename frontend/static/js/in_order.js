/**
 * Answers to one question that is asked again and again may come in another order than they were asked for. The newest
 * that has come is shown; one that was asked for before it no longer counts. Showing only the answer to the newest
 * question was rejected: where questions come faster than answers, nothing would ever be shown.
 */

/** @returns {() => () => boolean} to be called when it is asked; what that returns, when the answer is there */
export function inOrder() {
  let numAsked = 0;
  let newestShown = 0;
  return () => {
    numAsked += 1;
    const mine = numAsked;
    return () => {
      if (mine < newestShown) return false;
      newestShown = mine;
      return true;
    };
  };
}
